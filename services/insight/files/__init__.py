"""Tables written as files, CSV, XLSX and Parquet, by a process of its own: `python -m services.insight.files`."""
