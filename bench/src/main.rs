//! Runs the benchmark programs under several Lua implementations and compares them.
//!
//! The flow is: find the programs (`program`, `twin`), find the peers (`peer`), run everything in interleaved rounds (`measure`, which starts and
//! times one process through `child`), condense the samples into a `report::Report`, and render that as text, Markdown, HTML and JSON
//! (`render`). Ratios are always formed from minima: interference from other processes only ever adds time.

mod args;
mod child;
mod measure;
mod peer;
mod program;
mod render;
mod report;
mod statistics;
mod twin;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::report::Report;

/// Exit status when a program failed, ran out of time or printed something else than the other peers.
const STATUS_PROBLEMS: u8 = 1;
/// Exit status when nothing could be measured at all, or a result file could not be written.
const STATUS_UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(STATUS_PROBLEMS),
        Err(message) => {
            eprintln!("traceorus-bench: {message}");
            ExitCode::from(STATUS_UNUSABLE)
        }
    }
}

/// Does what the command line asks for. `Ok(false)` means that the measurement ended but some program had a problem.
fn run(args: &Args) -> Result<bool, String> {
    let report = match &args.from {
        Some(file) => read_report(file)?,
        None => {
            let root = args.programs_dir()?;
            let mut programs = program::find(&root, &args.filter)?;
            if args.twins {
                programs.retain(program::Program::has_twin);
            }
            if programs.is_empty() {
                return Err(format!(
                    "no program in {} matches the filter",
                    root.display()
                ));
            }
            if args.list {
                for p in &programs {
                    println!("{:<28} {}", p.id(), p.about);
                }
                return Ok(true);
            }
            if args.statistics {
                return statistics(args, &programs);
            }
            measure::run(args, &root, &programs)?
        }
    };
    let references = report.pick_references(&args.reference)?;
    let view = render::view::View::new(&report, &references, args.metric);
    println!("{}", render::text::render(&view));
    write_files(args, &report, &view)?;
    let complete = !args.strict || report.missing.is_empty();
    Ok(complete && view.problems.is_empty())
}

/// Prints what the trace compiler says about the programs.
fn statistics(args: &Args, programs: &[program::Program]) -> Result<bool, String> {
    let rows = statistics::run(args, programs)?;
    let table = statistics::table(&rows);
    print!("{table}");
    if let Some(dir) = args.out_dir() {
        let json = serde_json::to_string_pretty(&rows).map_err(|e| e.to_string())?;
        write(&dir.join("statistics.json"), &(json + "\n"))?;
    }
    if let Some(file) = &args.md {
        write(file, &table)?;
    }
    Ok(true)
}

/// Reads a report written by an earlier run.
fn read_report(file: &Path) -> Result<Report, String> {
    let text = fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    serde_json::from_slice(&text)
        .map_err(|e| format!("{} is not a report of this tool: {e}", file.display()))
}

/// Writes the JSON, HTML and Markdown files that the command line names.
fn write_files(args: &Args, report: &Report, view: &render::view::View) -> Result<(), String> {
    if let Some(dir) = args.out_dir() {
        let json = serde_json::to_string_pretty(report).map_err(|e| e.to_string())?;
        write(&dir.join("results.json"), &(json + "\n"))?;
        write(&dir.join("results.html"), &render::html::render(view)?)?;
    }
    if let Some(file) = &args.md {
        let options: Vec<String> = std::env::args().skip(1).collect();
        let options =
            shlex::try_join(options.iter().map(String::as_str)).map_err(|e| e.to_string())?;
        let command = ["traceorus-bench", &options].join(" ");
        let tables = render::markdown::render(view)?;
        let before = fs::read_to_string(file).unwrap_or_default();
        let text = format!(
            "# Benchmarks\n\nMade with `{command}`.\n\n{tables}{}",
            other_sections(&before)
        );
        write(file, &text)?;
    }
    Ok(())
}

/// What has been written by hand behind the tables of an earlier run: everything from the first heading of the second level on.
fn other_sections(text: &str) -> &str {
    text.find("\n## ").map_or("", |at| &text[at..])
}

/// Writes one file, making its folder first, and says so.
fn write(file: &PathBuf, text: &str) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("cannot write {}: {e}", file.display());
    if let Some(dir) = file.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::create_dir_all(dir).map_err(fail)?;
    }
    fs::write(file, text).map_err(fail)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::other_sections;

    #[test]
    fn what_was_written_by_hand_is_kept() {
        let text = "# Benchmarks\n\n### Speed\n| x |\n\n## Twins\n\n### C\n";
        assert_eq!(other_sections(text), "\n## Twins\n\n### C\n");
        assert_eq!(other_sections("# Benchmarks\n\n### Speed\n"), "");
        assert_eq!(other_sections(""), "");
    }
}
