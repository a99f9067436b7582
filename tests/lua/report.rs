//! What tests share that run many programs and compare what they print with files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many programs run at once.
const THREADS: usize = 2;
/// How many differing lines a failure shows.
pub const SHOWN_LINES: usize = 8;

/// Runs `test` for every item, several at once; gives the report of those that failed, under their names, empty if none did.
pub fn each<T: Sync>(
    items: &[T],
    name: impl Fn(&T) -> String + Sync,
    test: impl Fn(&T) -> Result<(), String> + Sync,
) -> String {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = test(item) {
                        failures
                            .lock()
                            .expect("no test panics")
                            .push((name(item), why));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no test panics");
    failures.sort();
    let mut report = String::new();
    if !failures.is_empty() {
        let _ = writeln!(report, "{} of {} failed", failures.len(), items.len());
    }
    for (name, why) in failures {
        let _ = writeln!(report, "\n--- {name}\n{}", why.trim_end());
    }
    report
}

/// Appends the first lines that differ. Lines are compared by number: outputs seldom gain or lose any.
pub fn difference(expected: &[u8], actual: &[u8], out: &mut String) {
    let (expected, actual) = (
        String::from_utf8_lossy(expected),
        String::from_utf8_lossy(actual),
    );
    let (old, new): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), actual.split('\n').collect());
    let differing: Vec<usize> = (0..old.len().max(new.len()))
        .filter(|&i| old.get(i) != new.get(i))
        .collect();
    let _ = writeln!(
        out,
        "{} of {} lines differ (- expected, + printed)",
        differing.len(),
        old.len()
    );
    for &i in differing.iter().take(SHOWN_LINES) {
        for (sign, line) in [('-', old.get(i)), ('+', new.get(i))] {
            if let Some(line) = line {
                let _ = writeln!(
                    out,
                    "{:4} {sign}{}",
                    i + 1,
                    line.escape_debug().take(300).collect::<String>()
                );
            }
        }
    }
}

/// Whether a program of this name is on the search path.
pub fn installed(name: &str) -> bool {
    Command::new(name)
        .arg("-v")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// The files with this extension in a folder and the folders in it, sorted.
pub fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
