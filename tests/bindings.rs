//! The bindings' own tests, each by the script in its folder, against the scripted server
//! and the real one.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it cannot go on")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::aimock::{self, Aimock};
use support::{c, prefix, skip, stage};

/// Runs bindings/NAME/test.sh where every one of `tools` is there.
fn test(name: &str, tools: &[&str]) {
    let is_missing = |tool: &&&str| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", tool]).output().unwrap();
        !found.status.success()
    };
    let missing: Vec<&str> = tools.iter().filter(is_missing).copied().collect();
    if !missing.is_empty() {
        return skip(&format!("bindings/{name}"), &format!("no {}", missing.join(", no ")));
    }
    let Some(real) = Aimock::shared() else { return };
    let (prefix, stage) = (prefix::installed(), stage::start());
    let work = c::workshop().join(name);
    let output = Command::new("sh")
        .arg("test.sh")
        .current_dir(c::root().join("bindings").join(name))
        .env("TOLMACH_PREFIX", prefix)
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .env("TOLMACH_TEST_WORK", &work)
        .env("TOLMACH_TEST_URL", format!("{}/v1", stage.url()))
        .env("TOLMACH_TEST_KEY", stage::KEY)
        .env("TOLMACH_TEST_REAL_URL", real.url())
        .env("TOLMACH_TEST_REAL_KEY", aimock::KEY)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{}\n{said}", output.status);
}

#[test]
fn cpp_is_at_home() {
    test("cpp", &["c++", "cmake", "make", "pkg-config"]);
}

#[test]
fn go_is_at_home() {
    test("go", &["go", "cc", "pkg-config"]);
}

#[test]
fn jvm_is_at_home() {
    test("jvm", &["javac", "mvn", "cc", "cmake", "readelf"]);
}

#[test]
fn python_is_at_home() {
    test("python", &["python3"]);
}

#[test]
fn swift_is_at_home() {
    test("swift", &["swift", "pkg-config"]);
}

/// A cargo that says what it is asked for stands in for the real one.
#[test]
fn script_without_its_environment_starts_what_it_needs() {
    let folder = c::workshop().join("by-itself");
    std::fs::create_dir_all(&folder).unwrap();
    let cargo = folder.join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\necho \"$PWD $TOLMACH_TEST_NO_SKIP $*\"\n").unwrap();
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    for name in ["cpp", "go", "jvm", "python", "swift"] {
        let run = |path: &str| {
            Command::new("/bin/sh")
                .arg(c::root().join("bindings").join(name).join("test.sh"))
                .current_dir("/")
                .env("PATH", path)
                .env_remove("TOLMACH_TEST_WORK")
                .output()
                .unwrap()
        };
        let output = run(&format!("{}:{path}", folder.display()));
        let right = format!("{} 1 test --test bindings {name}_\n", c::root().display());
        assert_eq!(String::from_utf8_lossy(&output.stdout), right, "{output:?}");
        // Where there is none, it says what is missing.
        let tools = folder.join("tools");
        std::fs::create_dir_all(&tools).unwrap();
        for tool in ["dirname", "sh"] {
            let found = path.split(':').map(|folder| Path::new(folder).join(tool));
            let found = found.into_iter().find(|tool| tool.exists()).unwrap();
            std::os::unix::fs::symlink(found, tools.join(tool)).ok();
        }
        let output = run(&tools.display().to_string());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("cargo test --test bindings {name}_")), "{said}");
    }
}
