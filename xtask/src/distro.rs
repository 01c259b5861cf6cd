//! Linux distributions: which one this is, and how each installs a Vulkan driver.

/// Distributions, grouped by package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distro {
    Debian,
    Fedora,
    Arch,
    Suse,
    Alpine,
    Void,
    Gentoo,
    NixOs,
    Other,
}

/// The packages that bring lavapipe (Vulkan on the CPU), Mesa's drivers for real GPUs, and the loader.
pub(crate) const DEBIAN_PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

impl Distro {
    /// Reads the text of `/etc/os-release`: `ID` first, then the relatives that `ID_LIKE` names, nearest first.
    pub(crate) fn from_os_release(text: &str) -> Self {
        let value =
            |key| text.lines().filter_map(|line| assignment(line, key)).next_back().unwrap_or_default();
        let (id, relatives) = (value("ID"), value("ID_LIKE"));
        std::iter::once(id.as_str())
            .chain(relatives.split_whitespace())
            .map(Self::from_id)
            .find(|&distro| distro != Self::Other)
            .unwrap_or(Self::Other)
    }

    fn from_id(id: &str) -> Self {
        match id {
            "debian" | "ubuntu" => Self::Debian,
            "fedora" | "rhel" | "centos" => Self::Fedora,
            "arch" | "archlinux" => Self::Arch,
            "suse" | "opensuse" | "opensuse-tumbleweed" | "opensuse-leap" | "sles" => Self::Suse,
            "alpine" => Self::Alpine,
            "void" => Self::Void,
            "gentoo" => Self::Gentoo,
            "nixos" => Self::NixOs,
            _ => Self::Other,
        }
    }

    /// What a user types to get a Vulkan driver that works without a GPU, and the loader.
    pub(crate) fn vulkan_advice(self) -> String {
        let packages = DEBIAN_PACKAGES.join(" ");
        match self {
            Self::Debian => format!("sudo apt-get update && sudo apt-get install -y {packages}"),
            Self::Fedora => "sudo dnf install -y mesa-vulkan-drivers vulkan-loader".into(),
            Self::Arch => "sudo pacman -S --needed vulkan-swrast vulkan-icd-loader".into(),
            Self::Suse => "sudo zypper install -y libvulkan_lvp libvulkan1".into(),
            Self::Alpine => "doas apk add mesa-vulkan-swrast vulkan-loader".into(),
            Self::Void => "sudo xbps-install -S mesa-vulkan-lavapipe vulkan-loader".into(),
            Self::Gentoo => {
                "build media-libs/mesa with USE=vulkan and lavapipe among its VIDEO_CARDS, then: \
                             sudo emerge media-libs/mesa media-libs/vulkan-loader"
                    .into()
            }
            Self::NixOs => "set `hardware.graphics.enable = true;` in configuration.nix, then: \
                            sudo nixos-rebuild switch"
                .into(),
            Self::Other => {
                "install Mesa's lavapipe driver (often called mesa-vulkan-drivers or vulkan-swrast) and \
                            the Vulkan loader (libvulkan.so.1) with your package manager"
                    .into()
            }
        }
    }

    /// What a user types to get a C linker.
    pub(crate) fn linker_advice(self) -> &'static str {
        match self {
            Self::Debian => "sudo apt-get update && sudo apt-get install -y build-essential",
            Self::Fedora => "sudo dnf install -y gcc",
            Self::Arch => "sudo pacman -S --needed base-devel",
            Self::Suse => "sudo zypper install -y gcc",
            Self::Alpine => "doas apk add build-base",
            Self::Void => "sudo xbps-install -S base-devel",
            Self::Gentoo | Self::NixOs | Self::Other => "install gcc or clang with your package manager",
        }
    }
}

/// The value in `KEY=value`, `KEY="value"` or `KEY='value'`, if this line is about `key`.
fn assignment(line: &str, key: &str) -> Option<String> {
    let (name, value) = line.trim().split_once('=')?;
    let bare = value.trim_matches(['"', '\'']);
    (name == key).then(|| bare.to_ascii_lowercase())
}

/// How this user may become root without being asked for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    Root,
    Sudo,
    None,
}

/// The two steps that install the driver on Debian and its relatives, each a program and its arguments, or nothing
/// where the rights are missing. A fresh machine may still be updating itself, hence the wait for the package lock.
pub(crate) fn debian_install(rights: Rights) -> Option<[Vec<&'static str>; 2]> {
    let prefix: &[&str] = match rights {
        Rights::Root => &["env"],
        Rights::Sudo => &["sudo", "-n", "env"],
        Rights::None => return None,
    };
    let apt_get = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
    let step = |words: &[&'static str]| [prefix, &apt_get, words].concat();
    let install = [&["install", "-y"][..], &DEBIAN_PACKAGES].concat();
    Some([step(&["update"]), step(&install)])
}

/// Whether the text of `/proc/self/status` is that of a process with root's effective user id.
pub(crate) fn is_root(status: &str) -> bool {
    // Uid: real, effective, saved set, file system.
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_told_apart() {
        let cases = [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
                Distro::Debian,
            ),
            ("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", Distro::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Distro::Debian),
            ("ID=raspbian\nID_LIKE=debian\n", Distro::Debian),
            ("NAME=\"Fedora Linux\"\nID=fedora\n", Distro::Fedora),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Distro::Fedora),
            ("ID=arch\n", Distro::Arch),
            ("ID='manjaro'\nID_LIKE='arch'\n", Distro::Arch),
            ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", Distro::Suse),
            ("ID=alpine\r\n", Distro::Alpine),
            ("ID=\"void\"\n", Distro::Void),
            ("ID=gentoo\n", Distro::Gentoo),
            ("ID=nixos\n", Distro::NixOs),
            ("ID=plan9\nID_LIKE=\"unix\"\n", Distro::Other),
            ("# ID=debian\nVARIANT_ID=debian\n", Distro::Other),
            ("", Distro::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(Distro::from_os_release(text), expected, "{text:?}");
        }
    }

    #[test]
    fn advice_names_the_packages_of_each_distribution() {
        let cases = [
            (Distro::Debian, "apt-get install -y mesa-vulkan-drivers libvulkan1"),
            (Distro::Fedora, "dnf install -y mesa-vulkan-drivers vulkan-loader"),
            (Distro::Arch, "pacman -S --needed vulkan-swrast vulkan-icd-loader"),
            (Distro::Suse, "zypper install -y libvulkan_lvp libvulkan1"),
            (Distro::Other, "libvulkan.so.1"),
        ];
        for (distro, part) in cases {
            let advice = distro.vulkan_advice();
            assert!(advice.contains(part), "{distro:?}: {advice}");
        }
        assert!(Distro::Debian.linker_advice().contains("apt-get install -y build-essential"));
    }

    #[test]
    fn installing_needs_rights() {
        assert_eq!(debian_install(Rights::None), None);
        for (rights, start) in [(Rights::Root, "env"), (Rights::Sudo, "sudo -n env")] {
            let [update, install] = debian_install(rights).unwrap().map(|step| step.join(" "));
            let apt_get =
                format!("{start} DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120");
            assert_eq!(update, format!("{apt_get} update"));
            assert_eq!(install, format!("{apt_get} install -y mesa-vulkan-drivers libvulkan1"));
        }
    }

    #[test]
    fn root_is_known_by_its_effective_id() {
        assert!(is_root("Name:\txtask\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"));
        assert!(is_root("Uid:\t1000\t0\t0\t0\n"));
        assert!(!is_root("Uid:\t0\t1000\t1000\t1000\n"));
        assert!(!is_root("Gid:\t0\t0\t0\t0\n"));
        assert!(!is_root(""));
    }
}
