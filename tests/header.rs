//! The header stands alone, says what the library does, and shows all of it.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use support::c;

/// What `source` comes to; fails on the slightest warning.
fn compile(language: &str, args: &[&str], name: &str, source: &str) -> String {
    compile_by(c::compiler(language), language, args, name, source)
}

/// The same by that compiler.
fn compile_by(
    mut compiler: Command,
    language: &str,
    args: &[&str],
    name: &str,
    source: &str,
) -> String {
    let path = c::workshop().join(name);
    fs::write(&path, source).unwrap();
    let output = compiler.args(args).args(["-x", language]).arg(&path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every standard, by the names that old compilers know as well.
const C_STANDARDS: &[&str] = &["c89", "c99", "c11", "c17", "c2x"];
const CPP_STANDARDS: &[&str] = &["c++11", "c++14", "c++17", "c++20", "c++2b"];

#[test]
fn header_alone_compiles_in_every_standard_of_c_and_cpp() {
    // Twice, and with the macros used.
    let source = "#include <tolmach.h>\n#include <tolmach.h>\nint main(void) {\n  \
        size_t len = TOLMACH_NUL_TERMINATED;\n  \
        return TOLMACH_AT_LEAST(0, 1, 0) && len > 0 && TOLMACH_E_TLS < 0 ? TOLMACH_OK : 1;\n}\n";
    let compilers = [
        ("gcc", "c", C_STANDARDS),
        ("g++", "c++", CPP_STANDARDS),
        ("clang", "c", C_STANDARDS),
        ("clang++", "c++", CPP_STANDARDS),
    ];
    for (program, language, standards) in compilers {
        if Command::new(program).arg("--version").output().is_err() {
            support::skip(&format!("the header by {program}"), "it is not installed");
            continue;
        }
        for standard in standards {
            let args = [&format!("-std={standard}"), "-fsyntax-only"];
            let name = format!("alone-{program}-{standard}");
            compile_by(c::strict(program.as_ref()), language, &args, &name, source);
        }
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
