//! Mesa's drivers with all that they depend on, C library included: Debian sid's packages, unpacked into `target/` and not
//! installed. apt fetches them with state of its own, so it resolves what depends on what, checks signatures and checksums, and
//! goes on where it was cut off.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::distro::Distro;
use crate::setup::{run_in, this_distro};
use crate::tools::{make, on_the_path, read, write};

const PACKAGES: [&str; 3] = ["mesa-vulkan-drivers", "mesa-drm-shim", "libvulkan1"];

const SOURCE: &str = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=amd64] http://deb.debian.org/debian sid main\n";

#[derive(Debug)]
pub(crate) struct Mesa {
    root: PathBuf,
    /// Of the package: 26.2.6-1.
    pub(crate) version: String,
}

impl Mesa {
    /// What is unpacked in this directory, if it is there as a whole.
    pub(crate) fn unpacked(tools: &Path) -> Option<Mesa> {
        let root = tools.join("root");
        let version = read(&root.join("version")).ok()?;
        Some(Mesa { root, version: version.trim().into() })
    }

    pub(crate) fn fetch(tools: &Path) -> Result<Mesa, String> {
        if let Some(mesa) = Mesa::unpacked(tools) {
            return Ok(mesa);
        }
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || this_distro() != Distro::Debian {
            return Err(
                "Mesa's compilers are fetched as Debian's packages for x86-64, by apt and dpkg".into()
            );
        }
        for program in ["apt-get", "dpkg"] {
            on_the_path(program).ok_or_else(|| format!("no {program} on the PATH"))?;
        }
        let apt = tools.join("apt");
        download(&apt)?;
        let part = tools.join("root.part");
        drop(std::fs::remove_dir_all(&part));
        make(&part)?;
        let archives = archives(&apt)?;
        for archive in &archives {
            let unpacked = Command::new("dpkg").arg("-x").arg(archive).arg(&part).status();
            if !unpacked.is_ok_and(|status| status.success()) {
                return Err(format!("`dpkg -x {}` failed", archive.display()));
            }
        }
        write(&part.join("version"), &version(&archives)?)?;
        // Only what is unpacked as a whole gets its final name.
        std::fs::rename(&part, tools.join("root")).map_err(|e| format!("{}: {e}", part.display()))?;
        Mesa::unpacked(tools).ok_or_else(|| "what has just been unpacked is gone".into())
    }

    pub(crate) fn libraries(&self) -> PathBuf {
        self.root.join("usr/lib/x86_64-linux-gnu")
    }

    /// The manifest that leads Vulkan's loader to a driver.
    pub(crate) fn manifest(&self, driver: &str) -> PathBuf {
        self.root.join("usr/share/vulkan/icd.d").join(format!("{driver}_icd.json"))
    }
}

/// Fetches the packages with everything that they depend on, whatever this machine has.
fn download(apt: &Path) -> Result<(), String> {
    for directory in ["state/lists/partial", "cache/archives/partial"] {
        make(&apt.join(directory))?;
    }
    write(&apt.join("sources.list"), SOURCE)?;
    write(&apt.join("status"), "")?;
    // apt's configuration for everything but these, so that proxies stay.
    let of_our_own = format!(
        "Dir::Etc::sourcelist \"{at}/sources.list\"; Dir::Etc::sourceparts \"/dev/null\"; Dir::State \"{at}/state\";
Dir::State::status \"{at}/status\"; Dir::Cache \"{at}/cache\"; APT::Architecture \"amd64\"; APT::Architectures \"amd64\";
APT::Sandbox::User \"root\"; Acquire::Languages \"none\"; Debug::NoLocking \"1\"; quiet \"1\";\n",
        at = apt.display()
    );
    write(&apt.join("apt.conf"), &of_our_own)?;
    let call = |words: &[&str]| run_in(apt, &[&["apt-get", "-c", "apt.conf"], words].concat());
    // What an earlier, broken-off run fetched may be outdated by now.
    if !call(&["update"]) || !call(&["autoclean"]) {
        return Err("Debian's list of packages cannot be had: see above".into());
    }
    let install = ["install", "-y", "--download-only", "--no-install-recommends"];
    if !call(&[&install[..], &PACKAGES].concat()) {
        return Err("Mesa's packages cannot be had: see above".into());
    }
    Ok(())
}

fn archives(apt: &Path) -> Result<Vec<PathBuf>, String> {
    let directory = apt.join("cache/archives");
    let entries = std::fs::read_dir(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|e| e == "deb")).collect();
    found.sort();
    Ok(found)
}

/// The drivers' version, from the name of their package: `mesa-vulkan-drivers_26.2.6-1_amd64.deb`.
fn version(archives: &[PathBuf]) -> Result<String, String> {
    let name =
        |path: &PathBuf| Some(path.file_name()?.to_str()?.strip_prefix("mesa-vulkan-drivers_")?.to_owned());
    let found = archives.iter().find_map(name);
    let found = found.and_then(|rest| rest.split('_').next().map(str::to_owned));
    found.ok_or_else(|| "apt left no package of Mesa's drivers".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_drivers() {
        let names = ["/a/libc6_2.42_amd64.deb", "/a/mesa-vulkan-drivers_26.2.6-1_amd64.deb"];
        assert_eq!(version(&names.map(PathBuf::from)), Ok("26.2.6-1".into()));
        assert!(version(&[PathBuf::from(names[0])]).is_err());
    }

    #[test]
    fn only_what_is_unpacked_as_a_whole_counts() {
        let tools = std::env::temp_dir().join(format!("hesscale-isa-tools-{}", std::process::id()));
        make(&tools.join("root")).unwrap();
        assert!(Mesa::unpacked(&tools).is_none());
        write(&tools.join("root/version"), "26.2.6-1").unwrap();
        assert_eq!(Mesa::unpacked(&tools).unwrap().version, "26.2.6-1");
        std::fs::remove_dir_all(tools).unwrap();
    }
}
