"""The commands of ``lading``, one file each, named as the command is; see `lading.command`."""
