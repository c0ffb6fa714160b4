//! The header stands alone, says what the library does, and shows all of it.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use support::c;

/// What `source` comes to; fails on the slightest warning.
fn compile(language: &str, args: &[&str], name: &str, source: &str) -> String {
    let path = c::workshop().join(name);
    fs::write(&path, source).unwrap();
    let output =
        c::compiler(language).args(args).args(["-x", language]).arg(&path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{language} {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn header_alone_compiles_in_every_standard_of_c_and_cpp() {
    let source = "#include <tolmach.h>\n#include <tolmach.h>\nint main(void) { return 0; }\n";
    for standard in ["-std=c99", "-std=c11", "-std=c17"] {
        compile("c", &[standard, "-fsyntax-only"], &format!("alone{standard}.c"), source);
    }
    if c::compiler("c++").arg("--version").output().is_err() {
        return support::skip("the header in C++", "there is no C++ compiler");
    }
    for standard in ["-std=c++11", "-std=c++17", "-std=c++20"] {
        compile("c++", &[standard, "-fsyntax-only"], &format!("alone{standard}.cc"), source);
    }
}

#[test]
fn header_defines_no_name_but_its_own() {
    let macros = |name: &str, source: &str| -> BTreeSet<String> {
        let defined = compile("c", &["-std=c99", "-dM", "-E"], name, source);
        let names = defined.lines().filter_map(|line| line.split([' ', '(']).nth(1));
        names.map(str::to_owned).collect()
    };
    let before = macros("before.c", "#include <stddef.h>\n#include <stdint.h>\n");
    let after = macros("after.c", "#include <tolmach.h>\n");
    let own: Vec<&String> = after.difference(&before).collect();
    assert!(own.len() > 40);
    assert!(own.iter().all(|name| name.starts_with("TOLMACH_")), "{own:?}");
}

#[test]
fn every_function_of_the_header_is_documented_and_exported_and_no_other_is() {
    let header = fs::read_to_string(c::root().join("include/tolmach.h")).unwrap();
    let mut declared = BTreeSet::new();
    for (start, _) in header.match_indices("\nTOLMACH_API") {
        let declaration = header[start..].split('(').next().unwrap();
        let function = declaration.rsplit([' ', '*', '\n']).next().unwrap();
        declared.insert(function);
        let documentation = &header[..start];
        assert!(documentation.ends_with("*/"), "{function} has no documentation");
        let block = &documentation[documentation.rfind("/**").unwrap()..];
        for word in ["Blocks:", "Threads:", "Since:"] {
            assert!(block.contains(word), "{function} does not say {word}");
        }
    }
    assert!(declared.len() >= 40, "{declared:?}");
    let Ok(output) = Command::new("nm").args(["-D", "--defined-only"]).arg(c::library()).output()
    else {
        return support::skip("the symbols of the library", "nm is not installed");
    };
    let symbols = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> =
        symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(exported, declared);
}

#[test]
fn version_of_the_header_is_that_of_the_library() {
    c::program("version").run().passed();
}

#[test]
fn static_library_links_as_well() {
    let library = c::library().with_file_name("libtolmach.a");
    let program = c::workshop().join("static-version");
    let output = c::compiler("c")
        .args(["-std=c99", "-pthread", "-o"])
        .arg(&program)
        .arg(c::root().join("tests/c/version.c"))
        .arg(&library)
        .args(["-ldl", "-lm"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(Command::new(program).status().unwrap().success());
}
