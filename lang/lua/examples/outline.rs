//! Prints what debuggers see of each function: its lines in code order, local variables and upvalues. For comparing
//! with other compilers.
use traceorus_base::chunk::Function;

fn show(f: &Function) {
    let name = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let mut lines: Vec<u32> = f.instructions().map(|(pc, _)| f.lines[pc]).collect();
    lines.dedup();
    println!(
        "function {} {} params {} vararg {}",
        f.line_defined,
        f.last_line_defined,
        f.nparams,
        u8::from(f.is_vararg)
    );
    let text: Vec<String> = lines.iter().map(u32::to_string).collect();
    println!("  lines {}", text.join(" "));
    let text: Vec<String> = f.locvars.iter().map(|v| name(&v.name)).collect();
    println!("  locals {}", text.join(","));
    let text: Vec<String> = f
        .upvals
        .iter()
        .map(|u| format!("{}/{}/{}", name(&u.name), u8::from(u.in_stack), u.attrib))
        .collect();
    println!("  upvalues {}", text.join(","));
    f.functions.iter().for_each(show);
}

fn main() {
    for arg in std::env::args().skip(1) {
        let Ok(source) = std::fs::read(&arg) else {
            continue;
        };
        let body = match source.iter().position(|&c| c == b'\n') {
            Some(end) if source.first() == Some(&b'#') => &source[end..],
            _ => &source[..],
        };
        match traceorus_lang_lua::compile(body, format!("@{arg}").as_bytes()) {
            Ok(chunk) => show(&chunk.main),
            Err(e) => println!("{e}"),
        }
    }
}
