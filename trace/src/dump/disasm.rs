//! Machine code as text: disassembled where the processor is one that we can disassemble, as bytes elsewhere.
//!
//! ```text
//!         ; 0003 >  tag TEQ    0002 int
//! 7f..10  cmp dword ptr [r13+18h],0
//! 7f..18  jne ->exit_1
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::dump::{Code, Symbols};
use crate::ir::print::print_ins;
use crate::traces::Trace;

/// The code of a trace. `names`: offsets instead of addresses, and only names for what lies outside.
pub(super) fn listing(t: &Trace, code: &Code<'_>, symbols: &Symbols, names: bool) -> String {
    if cfg!(target_arch = "x86_64") {
        x64::listing(t, code, symbols, names)
    } else {
        bytes(t, code, names)
    }
}

/// Labels at addresses inside the trace that are known without looking at its code.
fn fixed_labels(t: &Trace, code: &Code<'_>) -> BTreeMap<u64, String> {
    let mut labels = BTreeMap::new();
    for n in 0..t.states.len() {
        labels.insert(t.stub(n as u16), format!("exit_{n}"));
    }
    if let Some(head) = code.loop_head {
        labels.insert(t.address + u64::from(head), "loop".into());
    }
    labels.insert(t.entry, "entry".into());
    labels
}

/// IR instructions whose code begins before `end`, as comments; takes them off `at`.
fn ir_before(out: &mut String, code: &Code<'_>, next: &mut usize, end: u64) {
    while let Some(&(offset, r)) = code.at.get(*next) {
        if u64::from(offset) > end {
            break;
        }
        *next += 1;
        if r.is_ins() {
            let _ = writeln!(out, "        ; {}", print_ins(code.ir, r).trim_end());
        }
    }
}

/// Bytes, 16 a line.
fn bytes(t: &Trace, code: &Code<'_>, names: bool) -> String {
    let mut out = String::new();
    let (labels, mut next) = (fixed_labels(t, code), 0);
    for (i, chunk) in code.bytes.chunks(16).enumerate() {
        let offset = 16 * i as u64;
        ir_before(&mut out, code, &mut next, offset);
        for (_, name) in labels.range(t.address + offset..t.address + offset + 16) {
            let _ = writeln!(out, "->{name}:");
        }
        let at = if names { offset } else { t.address + offset };
        let _ = write!(out, "{at:08x} ");
        for b in chunk {
            let _ = write!(out, " {b:02x}");
        }
        out.push('\n');
    }
    out
}

mod x64 {
    use super::*;
    use iced_x86::{
        Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, OpKind, SymbolResolver,
        SymbolResult,
    };

    struct Resolver {
        labels: BTreeMap<u64, String>,
        names: BTreeMap<u64, String>,
    }

    impl SymbolResolver for Resolver {
        fn symbol(
            &mut self,
            _: &Instruction,
            _: u32,
            _: Option<u32>,
            address: u64,
            size: u32,
        ) -> Option<SymbolResult<'_>> {
            // small immediates are numbers, not addresses
            let name = self
                .labels
                .get(&address)
                .map(|l| format!("->{l}"))
                .or_else(|| self.names.get(&address).cloned())
                .filter(|_| size >= 4)?;
            Some(SymbolResult::with_string(address, name))
        }
    }

    fn is_jump(i: &Instruction) -> bool {
        i.op_count() > 0 && i.op_kind(0) == OpKind::NearBranch64
    }

    pub(super) fn listing(t: &Trace, code: &Code<'_>, symbols: &Symbols, names: bool) -> String {
        let mut labels = fixed_labels(t, code);
        let range = t.address..t.address + code.bytes.len() as u64;
        let decode = || Decoder::with_ip(64, code.bytes, t.address, DecoderOptions::NONE);
        let mut known = BTreeMap::new();
        // what can be an address is one: with `names` it must not be shown, if it has a name or not
        let addresses = 1 << 20..1 << 47;
        let mut note = |address: u64| {
            if let Some(name) = symbols.name(address) {
                known.insert(address, name.to_string());
            } else if names && addresses.contains(&address) {
                known.insert(address, "address".into());
            }
        };
        let mut targets = Vec::new();
        for i in &mut decode() {
            if is_jump(&i) {
                let to = i.near_branch_target();
                if range.contains(&to) {
                    targets.push(to);
                } else {
                    note(to);
                }
            }
            for op in 0..i.op_count() {
                use OpKind::*;
                if let Immediate64 | Immediate32to64 = i.op_kind(op) {
                    note(i.immediate(op));
                }
            }
            if i.is_ip_rel_memory_operand() {
                let to = i.ip_rel_memory_address();
                if range.contains(&to) {
                    labels.entry(to).or_insert_with(|| "constant".into());
                } else {
                    note(to);
                }
            }
        }
        targets.sort_unstable();
        targets.dedup();
        for (n, to) in targets.into_iter().enumerate() {
            labels.entry(to).or_insert_with(|| format!("L{n}"));
        }
        let resolver = Resolver {
            labels: labels.clone(),
            names: known,
        };
        let mut formatter = IntelFormatter::with_options(Some(Box::new(resolver)), None);
        formatter
            .options_mut()
            .set_space_after_operand_separator(true);
        formatter.options_mut().set_branch_leading_zeros(false);
        let (mut out, mut next, mut text) = (String::new(), 0, String::new());
        for i in &mut decode() {
            let offset = i.ip() - t.address;
            ir_before(&mut out, code, &mut next, offset);
            if let Some(l) = labels.get(&i.ip()) {
                let _ = writeln!(out, "->{l}:");
            }
            text.clear();
            formatter.format(&i, &mut text);
            let at = if names { offset } else { i.ip() };
            let _ = writeln!(out, "{at:08x}  {text}");
        }
        out
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::ir::{Ins, IrBuf, IrOp, Ref, Ty};
    use crate::traces::ExitState;

    #[test]
    fn labels_names_and_ir() {
        let mut ir = IrBuf::new();
        let r = ir.push(Ins::new(IrOp::SLoad, Ty::Int, Ref(3), Ref(0)));
        let helper = 0x1234_5678_9abc_u64;
        let mut code = vec![0x48, 0xb8]; // mov rax, imm64
        code.extend(helper.to_le_bytes());
        code.extend([0xff, 0xd0]); // call rax
        code.extend([0x75, 0x02]); // jne stub
        code.extend([0xeb, 0xf0]); // jmp back to 0
        code.extend([0xc3]); // stub: ret
        let t = Trace {
            states: Box::new([ExitState {
                taken: 0,
                count: 0,
                side: 0,
                stub: 0x10,
                types: false,
                decided: false,
            }]),
            ..Trace::empty(1, 0x7000_0000)
        };
        let mut symbols = Symbols::default();
        symbols.add(helper, "helper_X".into());
        let code = Code {
            bytes: &code,
            ir: &ir,
            at: &[(0, r)],
            loop_head: Some(12),
        };
        let text = listing(&t, &code, &symbols, true);
        assert!(text.contains("mov rax, helper_X"), "{text}");
        assert!(text.contains("->exit_0:\n00000010  ret"), "{text}");
        assert!(text.contains("jne"), "{text}");
        assert!(text.contains("->exit_0\n"), "{text}");
        assert!(text.contains("->loop:\n0000000c  jne"), "{text}");
        assert!(text.contains("->entry:\n00000000  mov"), "{text}");
        assert!(text.starts_with("        ; "), "{text}");
        let plain = listing(&t, &code, &Symbols::default(), false);
        assert!(plain.contains("7000000e  jmp"), "{plain}");
        // bytes are shown in full where there is no disassembler
        assert_eq!(
            bytes(&t, &code, true)
                .lines()
                .filter(|l| l.starts_with('0'))
                .count(),
            2
        );
    }
}
