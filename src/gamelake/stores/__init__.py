"""Where data lives: tables made of slices, committed whole or not at all."""

from gamelake.model.publish import PublishedSlice, Receipt, StagedFile, StagedSlice
from gamelake.stores.base import TableStore, lease_name

__all__ = ["PublishedSlice", "Receipt", "StagedFile", "StagedSlice", "TableStore", "lease_name"]
