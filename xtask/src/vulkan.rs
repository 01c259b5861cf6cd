//! Detects a Vulkan loader and a driver for it. Linux only; it searches where the loader would.
//!
//! A driver is announced by a JSON manifest (an "ICD file") that names its shared library. Finding one does not promise
//! an adapter, since the GPU that it drives may be absent; finding none promises that there is no adapter.

use std::path::{Path, PathBuf};

/// The file name by which programs ask for the loader.
const LOADER: &str = "libvulkan.so.1";

/// Variables that replace the loader's search for drivers, the stronger one first.
const OVERRIDES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// The result of the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) loader: bool,
    pub(crate) driver: bool,
    /// The variable, with its value, that tells the loader to look for drivers nowhere else.
    pub(crate) overridden: Option<(&'static str, String)>,
}

/// What is missing, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A loader, and at least one driver.
    Ready,
    /// Packages would help. The text names what is missing.
    Missing(&'static str),
    /// The user's environment points the loader at drivers that do not exist: no package helps.
    Misled { variable: &'static str, value: String },
}

impl Found {
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.loader, self.driver, &self.overridden) {
            (true, true, _) => Verdict::Ready,
            (_, false, Some((variable, value))) => Verdict::Misled { variable, value: value.clone() },
            (false, true, _) => Verdict::Missing("no Vulkan loader (libvulkan.so.1)"),
            (true, false, None) => Verdict::Missing("no Vulkan driver"),
            (false, false, None) => {
                Verdict::Missing("neither a Vulkan loader (libvulkan.so.1) nor a Vulkan driver")
            }
        }
    }
}

/// Looks at this machine.
pub(crate) fn find() -> Found {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let places = DriverPlaces::new(variable);
    Found {
        loader: loader_directories(variable).iter().any(|dir| dir.join(LOADER).exists())
            || ldconfig_has_loader(),
        driver: places.paths.iter().any(|path| holds_driver(path)),
        overridden: places.overridden,
    }
}

fn ldconfig_has_loader() -> bool {
    // An ordinary user's PATH often lacks the sbin directories.
    ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"].into_iter().any(|program| {
        let output = std::process::Command::new(program).arg("-p").output();
        output.is_ok_and(|output| lists_loader(&String::from_utf8_lossy(&output.stdout)))
    })
}

/// Whether the output of `ldconfig -p` has the loader among its libraries.
fn lists_loader(cache: &str) -> bool {
    cache.lines().any(|line| line.split_whitespace().next() == Some(LOADER))
}

/// Directories where the loader may lie.
fn loader_directories(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let mut directories = split(variable("LD_LIBRARY_PATH"), "");
    for root in ["/usr/local", "/usr", "/"] {
        let root = Path::new(root);
        directories.push(root.join("lib"));
        directories.push(root.join("lib64"));
        directories.push(root.join(format!("lib/{}-linux-gnu", std::env::consts::ARCH)));
    }
    directories
}

/// Where the loader looks for drivers.
#[derive(Debug)]
struct DriverPlaces {
    /// Manifests, and directories of manifests.
    paths: Vec<PathBuf>,
    overridden: Option<(&'static str, String)>,
}

impl DriverPlaces {
    fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        if let Some((name, value)) = OVERRIDES.into_iter().find_map(|name| Some((name, variable(name)?))) {
            return Self { paths: split(Some(value.clone()), ""), overridden: Some((name, value)) };
        }
        let home = |inside: &str| variable("HOME").map(|home| format!("{home}/{inside}")).unwrap_or_default();
        let roots = [
            split(variable("XDG_CONFIG_HOME"), &home(".config")),
            split(variable("XDG_CONFIG_DIRS"), "/etc/xdg"),
            split(None, "/etc:/usr/local/etc"),
            split(variable("XDG_DATA_HOME"), &home(".local/share")),
            split(variable("XDG_DATA_DIRS"), "/usr/local/share:/usr/share"),
        ]
        .concat();
        let mut paths = split(variable("VK_ADD_DRIVER_FILES"), "");
        paths.extend(roots.iter().map(|root| root.join("vulkan/icd.d")));
        Self { paths, overridden: None }
    }
}

/// A colon-separated list of paths, or `default` where there is none.
fn split(value: Option<String>, default: &str) -> Vec<PathBuf> {
    let list = value.unwrap_or_else(|| default.to_owned());
    list.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// Whether `path` is a manifest of a driver whose library exists, or a directory that holds one.
fn holds_driver(path: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(path) else { return is_manifest(path) };
    entries.flatten().any(|entry| is_manifest(&entry.path()))
}

fn is_manifest(path: &Path) -> bool {
    let json = path.extension().is_some_and(|extension| extension == "json");
    let Ok(text) = std::fs::read_to_string(path) else { return false };
    let Some(library) = library_path(&text) else { return false };
    // A bare name is searched for by the dynamic linker; other relative paths start at the manifest.
    let bare = !library.contains('/');
    json && (bare || path.parent().unwrap_or(Path::new("")).join(library).exists())
}

/// The value of `"library_path"` in a manifest. Escapes are left alone: no path of a driver needs any.
fn library_path(manifest: &str) -> Option<&str> {
    let (_, rest) = manifest.split_once("\"library_path\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let (path, _) = value.split_once('"')?;
    (!path.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(loader: bool, driver: bool, overridden: Option<&'static str>) -> Found {
        Found { loader, driver, overridden: overridden.map(|name| (name, "/x.json".to_owned())) }
    }

    #[test]
    fn the_verdict_names_what_is_missing() {
        assert_eq!(found(true, true, None).verdict(), Verdict::Ready);
        assert_eq!(found(true, true, Some("VK_DRIVER_FILES")).verdict(), Verdict::Ready);
        for (loader, driver, part) in
            [(false, true, "no Vulkan loader"), (true, false, "no Vulkan driver"), (false, false, "neither")]
        {
            let verdict = found(loader, driver, None).verdict();
            assert!(matches!(verdict, Verdict::Missing(what) if what.contains(part)), "{verdict:?}");
        }
        let misled = Verdict::Misled { variable: "VK_ICD_FILENAMES", value: "/x.json".into() };
        assert_eq!(found(true, false, Some("VK_ICD_FILENAMES")).verdict(), misled);
        assert_eq!(found(false, false, Some("VK_ICD_FILENAMES")).verdict(), misled);
        // The driver is there: a package brings the loader.
        assert!(matches!(found(false, true, Some("VK_DRIVER_FILES")).verdict(), Verdict::Missing(_)));
    }

    #[test]
    fn the_loader_is_read_from_the_linker_cache() {
        let line = |name| format!("218 libs found in cache\n\t{name} (libc6,x86-64) => /lib/{name}\n");
        assert!(lists_loader(&line("libvulkan.so.1")));
        assert!(!lists_loader(&line("libvulkan.so")));
        assert!(!lists_loader(&line("libvulkan_lvp.so")));
        assert!(!lists_loader(""));
    }

    #[test]
    fn drivers_are_searched_for_where_the_loader_does() {
        let search = |variables: &[(&str, &str)]| {
            let places = DriverPlaces::new(|name| {
                let value = variables.iter().find(|(variable, _)| *variable == name);
                value.map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(places.overridden, None);
            places.paths
        };
        let holds = |paths: &[PathBuf], root: &str| paths.contains(&Path::new(root).join("vulkan/icd.d"));

        let usual = search(&[("HOME", "/home/ada")]);
        let roots = [
            "/etc",
            "/etc/xdg",
            "/usr/share",
            "/usr/local/share",
            "/home/ada/.config",
            "/home/ada/.local/share",
        ];
        for root in roots {
            assert!(holds(&usual, root), "{root} in {usual:?}");
        }
        let moved = search(&[("XDG_DATA_DIRS", "/opt/share:/run/share"), ("XDG_DATA_HOME", "/data")]);
        for root in ["/etc", "/opt/share", "/run/share", "/data"] {
            assert!(holds(&moved, root), "{root} in {moved:?}");
        }
        assert!(!holds(&moved, "/usr/share"), "replaced by the variable: {moved:?}");
        assert!(search(&[]).iter().all(|path| path.has_root()), "without a home");
        assert!(search(&[("VK_ADD_DRIVER_FILES", "/x.json")]).contains(&PathBuf::from("/x.json")));
    }

    #[test]
    fn variables_override_the_search() {
        let places = DriverPlaces::new(|name| match name {
            "VK_ICD_FILENAMES" => Some("/old.json".into()),
            "VK_DRIVER_FILES" => Some("/a.json:/b.json".into()),
            _ => None,
        });
        assert_eq!(places.paths, [PathBuf::from("/a.json"), PathBuf::from("/b.json")]);
        assert_eq!(places.overridden, Some(("VK_DRIVER_FILES", "/a.json:/b.json".into())));
        let places = DriverPlaces::new(|name| (name == "VK_ICD_FILENAMES").then(|| "/old.json".into()));
        assert_eq!(places.paths, [PathBuf::from("/old.json")]);
    }

    #[test]
    fn the_loader_is_searched_for_in_the_library_path_too() {
        let directories =
            loader_directories(|name| (name == "LD_LIBRARY_PATH").then(|| "/opt/vulkan/lib:".into()));
        for directory in ["/opt/vulkan/lib", "/usr/lib", "/usr/lib64", "/usr/local/lib"] {
            assert!(directories.contains(&PathBuf::from(directory)), "{directory} in {directories:?}");
        }
        assert!(!directories.contains(&PathBuf::new()));
    }

    #[test]
    fn the_library_is_read_from_a_manifest() {
        let manifest = "{\n  \"ICD\": {\n    \"api_version\": \"1.1.230\",\n    \"library_path\" : \"/lib/lvp.so\"\n  }\n}";
        assert_eq!(library_path(manifest), Some("/lib/lvp.so"));
        assert_eq!(library_path("{\"ICD\":{\"library_path\":\"lvp.so\"}}"), Some("lvp.so"));
        for broken in
            ["", "{}", "{\"library_path\": 3}", "{\"library_path\": \"\"}", "{\"library_path\": \"lvp"]
        {
            assert_eq!(library_path(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_driver_counts_only_with_its_library() {
        let directory = std::env::temp_dir().join(format!("hesscale-xtask-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let manifest = directory.join("test_icd.json");
        let with_library = |path: &str| {
            let text = format!("{{\"ICD\": {{\"library_path\": \"{path}\"}}}}");
            std::fs::write(&manifest, text).unwrap();
            (holds_driver(&manifest), holds_driver(&directory))
        };
        assert!(!holds_driver(&directory), "an empty directory");
        assert!(!holds_driver(&directory.join("absent")), "no such file");
        assert_eq!(with_library("libbare.so"), (true, true));
        assert_eq!(with_library("./lib.so"), (false, false));
        std::fs::write(directory.join("lib.so"), "").unwrap();
        assert_eq!(with_library("./lib.so"), (true, true));
        assert_eq!(with_library(&directory.join("lib.so").display().to_string()), (true, true));
        assert_eq!(with_library("/absent/lib.so"), (false, false));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
