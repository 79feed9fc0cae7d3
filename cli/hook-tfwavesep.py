# ruff: noqa: N999  (the name is PyInstaller's)
"""What PyInstaller does not see by itself: modules that are found by their names, presets, the released model."""

from PyInstaller.utils.hooks import collect_data_files, collect_dynamic_libs, collect_submodules, copy_metadata

hiddenimports = [
    *collect_submodules("tfwavesep", on_error="ignore"),
    *collect_submodules("ai_edge_litert", on_error="ignore"),
    "tfwavesep_saved_models",
]
datas = [
    *collect_data_files("tfwavesep"),
    *collect_data_files("tfwavesep_saved_models"),
    *copy_metadata("tfwavesep"),
]
binaries = collect_dynamic_libs("ai_edge_litert")
