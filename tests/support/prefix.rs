//! The library as packages install it, for what is built outside of cargo.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::c;

/// A folder with include, lib and lib/pkgconfig, made of what cargo just built, once.
pub fn installed() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(install)
}

fn install() -> PathBuf {
    let prefix = c::workshop().join("prefix");
    let lib = prefix.join("lib");
    for folder in [prefix.join("include"), lib.join("pkgconfig")] {
        fs::create_dir_all(folder).unwrap();
    }
    let library = c::library();
    let name = library.file_name().unwrap().to_str().unwrap();
    for name in [name, &c::soname()] {
        symlink(&library, lib.join(name)).unwrap();
    }
    symlink(library.with_file_name("libtolmach.a"), lib.join("libtolmach.a")).unwrap();
    symlink(c::root().join("include/tolmach.h"), prefix.join("include/tolmach.h")).unwrap();
    let package = fs::read_to_string(c::root().join("tolmach.pc.in"))
        .unwrap()
        .replace("@PREFIX@", prefix.to_str().unwrap())
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    fs::write(lib.join("pkgconfig/tolmach.pc"), package).unwrap();
    prefix
}
