//! Is the plugin where hosts look for it?

use std::path::{Path, PathBuf};

use super::Finding;

/// What the bundles' names begin with.
const NAME: &str = "Send Learn";

/// What is to be said about it.
pub(super) fn bundles() -> Finding {
    const ABOUT: &str = "plugin";
    let folders = folders();
    let found: Vec<PathBuf> = folders.iter().flat_map(|folder| in_folder(folder)).collect();
    let list = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let broken: Vec<PathBuf> = found.iter().filter(|bundle| !is_whole(bundle)).cloned().collect();
    if !broken.is_empty() {
        return Finding::bad(
            ABOUT,
            format!("there is nothing in {}: hosts will not load it", list(&broken)),
            "Copy the whole bundle again.",
        );
    }
    if found.is_empty() {
        let words = format!("the plugin is in none of the folders in which hosts on this machine look ({})", list(&folders));
        return Finding::note(ABOUT, words, "If a DAW on this machine is to use it: cargo xtask install-plugin.");
    }
    Finding::good(ABOUT, format!("the plugin is at {}", list(&found)))
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAME));
    let mut found: Vec<PathBuf> = entries.filter(ours).collect();
    found.sort();
    found
}

/// A bundle is a file, or a folder with a library somewhere in it.
fn is_whole(bundle: &Path) -> bool {
    let mut left = vec![bundle.to_owned()];
    // More folders than a bundle has.
    for _ in 0..64 {
        let Some(path) = left.pop() else { return false };
        if path.is_file() {
            let is_library =
                path == bundle || matches!(path.extension().and_then(|end| end.to_str()), Some("so" | "dylib" | "vst3") | None);
            if is_library && path.metadata().is_ok_and(|file| file.len() > 0) {
                return true;
            }
        } else {
            left.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    false
}

/// Where hosts look: the folders that VST3 and CLAP name for each system.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let home = std::env::home_dir().unwrap_or_default();
    if cfg!(target_os = "macos") {
        let library = "Library/Audio/Plug-Ins";
        for kind in ["VST3", "CLAP"] {
            folders.extend([home.join(library).join(kind), PathBuf::from("/").join(library).join(kind)]);
        }
    } else {
        folders.extend([home.join(".vst3"), home.join(".clap")]);
        for prefix in ["/usr/lib", "/usr/local/lib"] {
            folders.extend(["vst3", "clap"].map(|kind| PathBuf::from(prefix).join(kind)));
        }
    }
    folders.extend(std::env::var_os("CLAP_PATH").iter().flat_map(std::env::split_paths));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bundle_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("Send Learn.vst3");
        let inner = bundle.join("Contents/x86_64-linux");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(in_folder(folder.path()), std::slice::from_ref(&bundle));
        assert!(!is_whole(&bundle));
        std::fs::write(inner.join("Send Learn.so"), "ELF").unwrap();
        assert!(is_whole(&bundle));
    }
}
