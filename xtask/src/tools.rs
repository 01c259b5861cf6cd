//! Programs and drivers that the portability runs use: found on this machine, or fetched into `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::distro::Distro;
use crate::record::key;
use crate::setup::{run_in, this_distro};

/// The file name by which SwiftShader's manifest goes in Chromium's packages.
const MANIFEST: &str = "vk_swiftshader_icd.json";
const SWIFTSHADER: &str = "libvk_swiftshader.so";

/// The download directory.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) directory: PathBuf,
}

impl Tools {
    /// A program on the PATH, or from a Debian package unpacked here. The error says what to install.
    pub(crate) fn program(&self, name: &str, package: &str) -> Result<PathBuf, String> {
        if let Some(found) = on_the_path(name) {
            return Ok(found);
        }
        let unpacked = self.package(package)?.join("usr/bin").join(name);
        if unpacked.exists() { Ok(unpacked) } else { Err(format!("package {package} has no {name}")) }
    }

    /// A manifest that leads the Vulkan loader to SwiftShader.
    pub(crate) fn swiftshader(&self) -> Result<PathBuf, String> {
        if !cfg!(target_os = "linux") {
            return Err("SwiftShader is set up on Linux only".into());
        }
        let system = [Path::new("/usr/lib/chromium"), Path::new("/usr/lib/chromium-browser")];
        let library = match system.iter().map(|dir| dir.join(SWIFTSHADER)).find(|path| path.exists()) {
            Some(library) => library,
            None => self.package("chromium-common")?.join("usr/lib/chromium").join(SWIFTSHADER),
        };
        if !library.exists() {
            return Err(format!("package chromium-common has no {SWIFTSHADER}"));
        }
        let manifest = self.directory.join(MANIFEST);
        write(&manifest, &swiftshader_manifest(&library))?;
        Ok(manifest)
    }

    /// Node with the package `webgpu`, which is Dawn: the directory that holds the script.
    pub(crate) fn dawn(&self, sources: &Path) -> Result<PathBuf, String> {
        for program in ["node", "npm"] {
            on_the_path(program).ok_or_else(|| format!("no {program} (Node.js) on the PATH"))?;
        }
        let directory = self.directory.join("dawn");
        make(&directory)?;
        for file in ["package.json", "package-lock.json", "dawn.mjs"] {
            let copied = std::fs::copy(sources.join(file), directory.join(file));
            copied.map_err(|e| format!("{file}: {e}"))?;
        }
        // Package scripts are not run; none is needed.
        let words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        if run_in(&directory, &words) { Ok(directory) } else { Err("npm cannot install `webgpu`".into()) }
    }

    /// The root of an unpacked Debian package. Nothing is installed.
    fn package(&self, name: &str) -> Result<PathBuf, String> {
        let root = self.directory.join(name);
        if root.exists() {
            return Ok(root);
        }
        if this_distro() != Distro::Debian {
            return Err(format!(
                "not on this machine; here Debian's package {name} would be unpacked, but this is no Debian"
            ));
        }
        let download = self.directory.join("download").join(name);
        make(&download)?;
        if !run_in(&download, &["apt-get", "download", name]) {
            return Err(format!("`apt-get download {name}` failed"));
        }
        let archive = std::fs::read_dir(&download).ok().into_iter().flatten().flatten().map(|e| e.path());
        let archive = archive.filter(|path| path.extension().is_some_and(|ending| ending == "deb")).max();
        let archive = archive.ok_or_else(|| format!("`apt-get download {name}` left nothing"))?;
        // Only a completely unpacked package gets its final name.
        let part = self.directory.join(format!("{name}.part"));
        let (from, to) = (archive.display().to_string(), part.display().to_string());
        if !run_in(&download, &["dpkg", "-x", &from, &to]) {
            return Err(format!("`dpkg -x {from}` failed"));
        }
        std::fs::rename(&part, &root).map_err(|e| format!("{}: {e}", root.display()))?;
        Ok(root)
    }
}

/// A manifest that makes the loader load this library.
fn swiftshader_manifest(library: &Path) -> String {
    let path = library.display();
    format!(
        "{{\"file_format_version\": \"1.0.0\", \"ICD\": {{\"library_path\": \"{path}\", \"api_version\": \"1.0.5\"}}}}\n"
    )
}

/// Which driver a manifest leads to, as `; name key`: other for another build of it.
pub(crate) fn fingerprint(manifest: &Path) -> Result<String, String> {
    let text = read(manifest)?;
    let path = text.split_once("\"library_path\": \"").and_then(|(_, rest)| rest.split('"').next());
    let path = Path::new(path.ok_or_else(|| format!("{} names no library", manifest.display()))?);
    // One without a directory is the loader's to find: then the manifest stands for it.
    let contents = std::fs::read(path).unwrap_or_else(|_| text.clone().into_bytes());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("; {name} {}", key([contents.as_slice()])))
}

/// A program's full path.
pub(crate) fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// The first line with a version that a program prints when asked.
pub(crate) fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()));
    line.unwrap_or("of unknown version").trim().to_owned()
}

pub(crate) fn make(directory: &Path) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))
}

pub(crate) fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}

pub(crate) fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_library() {
        let manifest = swiftshader_manifest(Path::new("/x/libvk_swiftshader.so"));
        assert!(manifest.contains("\"library_path\": \"/x/libvk_swiftshader.so\""), "{manifest}");
    }

    #[test]
    fn another_driver_has_another_fingerprint() {
        let directory = std::env::temp_dir().join(format!("hesscale-driver-{}", std::process::id()));
        make(&directory).unwrap();
        let (library, manifest) = (directory.join("lib.so"), directory.join("icd.json"));
        write(&manifest, &swiftshader_manifest(&library)).unwrap();
        let of = |contents: &str| {
            write(&library, contents).unwrap();
            fingerprint(&manifest).unwrap()
        };
        let first = of("1");
        assert!(first.starts_with("; lib.so "), "{first}");
        assert_eq!(of("1"), first);
        assert_ne!(of("2"), first);
        write(&manifest, "{}").unwrap();
        assert!(fingerprint(&manifest).is_err());
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn programs_are_found_by_name() {
        assert_eq!(on_the_path("no-such-program"), None);
        if cfg!(unix) {
            assert!(on_the_path("sh").is_some_and(|path| path.is_absolute()));
        }
    }
}
