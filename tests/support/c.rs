//! C programs of tests/c and examples, compiled against the shared library that cargo just built.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{LONG, skip};

/// Names the runtime of the sanitizer that the library was built with, if one was.
const SANITIZER: &str = "TOLMACH_TEST_SANITIZER";

/// Whether the library was built with a sanitizer.
pub fn is_sanitized() -> bool {
    std::env::var_os(SANITIZER).is_some()
}

/// The shared library, beside this test's own executable or a folder above.
pub fn library() -> PathBuf {
    let name = format!("{}tolmach{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let here = std::env::current_exe().unwrap();
    let found =
        here.ancestors().skip(1).map(|folder| folder.join(&name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not beside {}", here.display()))
}

/// The name that the loader looks for.
pub fn soname() -> String {
    if cfg!(target_vendor = "apple") {
        "libtolmach.0.dylib".to_owned()
    } else {
        format!("{}tolmach{}.0", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of this process's own, with the library under the names the linker and the
/// loader look for.
pub fn workshop() -> &'static Path {
    static WORKSHOP: OnceLock<PathBuf> = OnceLock::new();
    WORKSHOP.get_or_init(|| {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).unwrap();
        let library = library();
        let name = library.file_name().unwrap().to_str().unwrap();
        for name in [name, &soname()] {
            std::os::unix::fs::symlink(&library, folder.join(name)).unwrap();
        }
        folder
    })
}

pub fn compiler(language: &str) -> Command {
    let (variable, default) = if language == "c++" { ("CXX", "c++") } else { ("CC", "cc") };
    strict(&std::env::var_os(variable).unwrap_or_else(|| default.into()))
}

/// A compiler of that name, which takes no warning for less than an error.
pub fn strict(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-pedantic", "-Wall", "-Wextra", "-Werror"])
        .arg("-I")
        .arg(root().join("include"));
    command
}

/// The executable of a source file, compiled with `options`.
fn build(folder: &str, name: &str, options: &[String]) -> PathBuf {
    compile(folder, name, name, |compiler| {
        // The library alone is instrumented: whoever loads it brings the runtime.
        if let Some(runtime) = std::env::var_os(SANITIZER) {
            compiler.args(["-Wl,--whole-archive".into(), runtime, "-Wl,--no-whole-archive".into()]);
            compiler.args(["-Wl,--export-dynamic", "-ldl", "-lrt", "-lm", "-lstdc++"]);
        }
        compiler.arg("-L").arg(workshop());
        compiler.args(["-ltolmach", &format!("-Wl,-rpath,{}", workshop().display())]);
        compiler.args(options)
    })
}

/// A library of tests/c, for LD_PRELOAD.
pub fn preloaded(name: &str) -> PathBuf {
    compile("tests/c", name, &format!("{name}.so"), |compiler| compiler.args(["-shared", "-fPIC"]))
}

/// What comes of a source file, compiled once per process.
fn compile(
    folder: &str,
    name: &str,
    made: &str,
    how: impl FnOnce(&mut Command) -> &mut Command,
) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, Arc<OnceLock<PathBuf>>>>> = Mutex::new(None);
    let slot = Arc::clone(
        BUILT.lock().unwrap().get_or_insert_default().entry(made.to_owned()).or_default(),
    );
    slot.get_or_init(|| {
        let executable = workshop().join(made);
        let mut compiler = compiler("c");
        compiler.args(["-std=c99", "-O1", "-g", "-pthread", "-D_POSIX_C_SOURCE=200809L", "-o"]);
        compiler.arg(&executable).arg(root().join(folder).join(format!("{name}.c")));
        let output = how(&mut compiler).output().expect("there is a C compiler");
        assert!(output.status.success(), "{name}.c: {}", String::from_utf8_lossy(&output.stderr));
        executable
    })
    .clone()
}

/// A program of tests/c.
pub fn program(name: &str) -> Program {
    Program::new(build("tests/c", name, &[]))
}

/// A program of examples, which AddressSanitizer checks, for leaks as well.
pub fn example(name: &str) -> Program {
    example_with(name, &[])
}

/// The same, compiled with `options` of its own.
pub fn example_with(name: &str, options: &[&str]) -> Program {
    let mut options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    options.push("-lm".to_owned());
    if !is_sanitized() && has_address_sanitizer() {
        options.push("-fsanitize=address".to_owned());
    }
    let program = Program::new(build("examples", name, &options));
    if cfg!(target_os = "linux") {
        return program.env("ASAN_OPTIONS", Some("detect_leaks=1:detect_stack_use_after_return=1"));
    }
    program
}

/// Whether the compiler has AddressSanitizer; said aloud once where it has not.
fn has_address_sanitizer() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let source = workshop().join("nothing.c");
        fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        let mut compiler = compiler("c");
        compiler.args(["-fsanitize=address", "-o"]).arg(workshop().join("nothing")).arg(source);
        let has = compiler.output().is_ok_and(|output| output.status.success());
        if !has {
            skip("leaks of the examples", "the C compiler has no AddressSanitizer");
        }
        has
    })
}

pub struct Program {
    executable: PathBuf,
    args: Vec<OsString>,
    envs: Vec<(String, Option<String>)>,
    folder: Option<PathBuf>,
    checker: Vec<String>,
}

/// What became of a program.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    fn new(executable: PathBuf) -> Program {
        let (args, envs, checker) = (Vec::new(), Vec::new(), Vec::new());
        Program { executable, args, envs, folder: None, checker }
    }

    pub fn arg(mut self, arg: impl Into<OsString>) -> Program {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: Option<&str>) -> Program {
        self.envs.push((name.to_owned(), value.map(str::to_owned)));
        self
    }

    /// Runs it in that folder.
    pub fn in_folder(mut self, folder: &Path) -> Program {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Runs it under valgrind, unless a sanitizer checks it anyway; `None`, said aloud, where
    /// there is no valgrind.
    pub fn under_valgrind(mut self) -> Option<Program> {
        if std::env::var_os(SANITIZER).is_some() {
            return Some(self);
        }
        if Command::new("valgrind").arg("--version").output().is_err() {
            skip("memory checks", "valgrind is not installed");
            return None;
        }
        let kinds = "definite,indirect,possible";
        self.envs.push(("TOLMACH_TEST_SETTLE".to_owned(), Some("1".to_owned())));
        self.checker = vec![
            "valgrind".to_owned(),
            "-q".to_owned(),
            "--leak-check=full".to_owned(),
            format!("--show-leak-kinds={kinds}"),
            format!("--errors-for-leak-kinds={kinds}"),
            "--error-exitcode=99".to_owned(),
        ];
        Some(self)
    }

    fn command(&self) -> Command {
        let mut command = match self.checker.split_first() {
            Some((checker, args)) => {
                let mut command = Command::new(checker);
                command.args(args).arg(&self.executable);
                command
            }
            None => Command::new(&self.executable),
        };
        command.args(&self.args);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        for (name, value) in &self.envs {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end. One that has none fails the test.
    pub fn run(self) -> Outcome {
        self.spawn().finish()
    }

    pub fn spawn(self) -> Running {
        let mut child = self.command().spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let errors = child.stderr.take().unwrap();
        let child = Arc::new(Mutex::new(child));
        let (watch, over) = mpsc::channel();
        let watched = Arc::clone(&child);
        let watchdog = thread::spawn(move || {
            let hung = over.recv_timeout(LONG * 2) == Err(RecvTimeoutError::Timeout);
            let mut child = watched.lock().unwrap();
            child.kill().ok();
            child.wait().ok();
            hung
        });
        Running { child, stdin, stdout, errors, watch, watchdog }
    }
}

/// A program under way. It does not outlive this, nor twice [`LONG`].
pub struct Running {
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    errors: ChildStderr,
    /// The watchdog waits for this to be dropped.
    watch: Sender<()>,
    watchdog: JoinHandle<bool>,
}

impl Running {
    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What it prints up to and with `end`; fails where it ends before.
    pub fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let read = self.stdout.read_exact(&mut byte);
            assert!(read.is_ok(), "no {end:?} after {:?}", String::from_utf8_lossy(&text));
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn finish(self) -> Outcome {
        let Running { child, stdin, stdout, errors, watch, watchdog } = self;
        drop(stdin);
        let stderr = thread::spawn(move || text(errors));
        let stdout = text(stdout);
        let stderr = stderr.join().unwrap();
        let status = loop {
            if let Some(status) = child.lock().unwrap().try_wait().unwrap() {
                break status;
            }
            thread::sleep(Duration::from_millis(2));
        };
        drop(watch);
        assert!(!watchdog.join().unwrap(), "the program hangs\n{stdout}\n{stderr}");
        Outcome { status, stdout, stderr }
    }
}

/// All that comes of `source`.
fn text(mut source: impl Read) -> String {
    let mut text = String::new();
    source.read_to_string(&mut text).ok();
    text
}

impl Outcome {
    /// Fails with what the program said, unless it ended with 0.
    pub fn passed(self) -> Outcome {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self
    }

    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}
