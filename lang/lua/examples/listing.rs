//! Lists the bytecode of Lua files, or only compiles and checks them: `listing [-p] file...`
use std::time::Instant;

fn main() {
    let mut quiet = false;
    let mut failed = false;
    for arg in std::env::args().skip(1) {
        if arg == "-p" {
            quiet = true;
            continue;
        }
        let source = match std::fs::read(&arg) {
            Ok(s) => s,
            Err(e) => {
                eprintln!("{arg}: {e}");
                failed = true;
                continue;
            }
        };
        let body = match source.iter().position(|&c| c == b'\n') {
            Some(end) if source.first() == Some(&b'#') => &source[end..],
            _ => &source[..],
        };
        let start = Instant::now();
        match traceorus_lang_lua::compile(body, format!("@{arg}").as_bytes()) {
            Ok(_) if quiet => {
                let time = start.elapsed().as_secs_f64();
                let lines = body.iter().filter(|&&c| c == b'\n').count();
                println!(
                    "{arg}: {lines} lines, {:.1} ms, {:.2} million lines/s",
                    time * 1e3,
                    lines as f64 / time / 1e6
                );
            }
            Ok(chunk) => print!("{}", traceorus_lang_common::listing::list(&chunk)),
            Err(e) => {
                eprintln!("{e}");
                failed = true;
            }
        }
    }
    std::process::exit(i32::from(failed));
}
