"""What everybody may know, in the forms that other people's tools read; see docs/open-data.md."""
