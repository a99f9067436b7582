//! Generates the interpreter for the target and writes it as an assembler file for `global_asm!`.

use std::fmt::Write;

use traceorus_base::bytecode::Op;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(generated_interpreter)");
    println!("cargo::rerun-if-changed=build.rs");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").expect("set by cargo");
    if arch != "x86_64" || std::env::var_os("TRACEORUS_NO_ASM").is_some() {
        println!("cargo::rerun-if-env-changed=TRACEORUS_NO_ASM");
        return;
    }
    println!("cargo::rerun-if-env-changed=TRACEORUS_NO_ASM");
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    let code = traceorus_interp::generate::<traceorus_interp::X64>(traceorus_interp::raw_jump_x64)
        .unwrap_or_else(|e| panic!("generating the interpreter: {e:?}"));

    let mut s = String::new();
    let text = "
.pushsection .text.traceorus_interp,\"ax\",@progbits
.balign 64
.globl traceorus_interp_base
.hidden traceorus_interp_base
.globl traceorus_interp_active
.hidden traceorus_interp_active
.globl traceorus_interp_enter
.hidden traceorus_interp_enter
.globl traceorus_interp_enter_trace
.hidden traceorus_interp_enter_trace
.globl traceorus_interp_resume
.hidden traceorus_interp_resume
.globl traceorus_interp_back
.hidden traceorus_interp_back
.globl traceorus_interp_count
.hidden traceorus_interp_count
.globl traceorus_interp_back_default
.hidden traceorus_interp_back_default
traceorus_interp_base:
";
    s.push_str(text);
    let mut cuts: Vec<(u32, String, bool)> = Vec::new();
    for (name, start, end) in &code.symbols {
        cuts.push((*start, name.clone(), true));
        cuts.push((*end, name.clone(), false));
    }
    cuts.sort_by_key(|c| (c.0, c.2));
    let mut at = 0u32;
    let bytes = |s: &mut String, from: u32, to: u32| {
        for chunk in code.bytes[from as usize..to as usize].chunks(32) {
            let list: Vec<String> = chunk.iter().map(u8::to_string).collect();
            writeln!(s, ".byte {}", list.join(",")).expect("to a string");
        }
    };
    // offsets at which labels are wanted inside the bytes
    let mut marks = vec![
        (code.active, "traceorus_interp_active"),
        (code.enter, "traceorus_interp_enter"),
        (code.enter_trace, "traceorus_interp_enter_trace"),
        (code.resume, "traceorus_interp_resume"),
        (code.back, "traceorus_interp_back"),
        (code.count, "traceorus_interp_count"),
        (code.back_default, "traceorus_interp_back_default"),
    ];
    marks.sort_unstable();
    let upto = |s: &mut String, at: &mut u32, to: u32, marks: &mut Vec<(u32, &str)>| {
        while let Some(&(m, name)) = marks.first() {
            if m > to || (m == to && to != code.bytes.len() as u32 && m != *at) {
                break;
            }
            bytes(s, *at, m);
            *at = m;
            writeln!(s, "{name}:").expect("to a string");
            marks.remove(0);
        }
        bytes(s, *at, to);
        *at = to;
    };
    for (off, name, start) in cuts {
        upto(&mut s, &mut at, off, &mut marks);
        if start {
            writeln!(
                s,
                ".type {name},@function\n{name}:\n.cfi_startproc\n.cfi_def_cfa rbp,16\n.cfi_offset rbp,-16\n.cfi_offset rip,-8\n\
                 .cfi_offset rbx,-24\n.cfi_offset r12,-32\n.cfi_offset r13,-40\n.cfi_offset r14,-48\n.cfi_offset r15,-56"
            )
            .expect("to a string");
            while let Some(&(m, mark)) = marks.first() {
                if m != at {
                    break;
                }
                writeln!(s, "{mark}:").expect("to a string");
                marks.remove(0);
            }
        } else {
            writeln!(s, ".cfi_endproc\n.size {name},.-{name}").expect("to a string");
        }
    }
    let end = code.bytes.len() as u32;
    upto(&mut s, &mut at, end, &mut marks);
    s.push_str(".popsection\n");
    std::fs::write(format!("{out}/interp.s"), s).expect("writing the interpreter");

    let mut t = String::new();
    writeln!(t, "static HANDLERS: [u16; {}] = [", Op::ALL.len()).expect("to a string");
    for h in &code.handlers {
        writeln!(t, "    {},", h / 8).expect("to a string");
    }
    t.push_str("];\n");
    std::fs::write(format!("{out}/interp_tables.rs"), t).expect("writing the tables");
    println!("cargo::rustc-cfg=generated_interpreter");
}
