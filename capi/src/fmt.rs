//! Formatted strings: `lua_pushvfstring`.

use std::ffi::{CStr, c_char, c_int};

use traceorus_base::Value;
use traceorus_base::objects::Thread;
use traceorus_vm::ctx::LResult;
use traceorus_vm::number;
use traceorus_vm::string::str_data;

use crate::stack::{new_string, run_error};
use crate::types::*;
use crate::{ok, push, safepoint, thread};

/// The `va_list` of C on this architecture, from which arguments are taken one by one.
#[cfg(target_arch = "x86_64")]
#[repr(C)]
pub struct VaList {
    gp_offset: u32,
    fp_offset: u32,
    overflow: *mut u64,
    registers: *mut u8,
}

#[cfg(target_arch = "x86_64")]
impl VaList {
    unsafe fn word(&mut self) -> u64 {
        if self.gp_offset < 48 {
            let w = *self.registers.add(self.gp_offset as usize).cast::<u64>();
            self.gp_offset += 8;
            return w;
        }
        self.in_memory()
    }
    unsafe fn double(&mut self) -> f64 {
        if self.fp_offset < 176 {
            let d = *self.registers.add(self.fp_offset as usize).cast::<f64>();
            self.fp_offset += 16;
            return d;
        }
        f64::from_bits(self.in_memory())
    }
    unsafe fn in_memory(&mut self) -> u64 {
        let w = *self.overflow;
        self.overflow = self.overflow.add(1);
        w
    }
}

/// See above; not known here yet.
#[cfg(not(target_arch = "x86_64"))]
#[repr(C)]
pub struct VaList {
    _private: [u8; 0],
}

#[cfg(not(target_arch = "x86_64"))]
impl VaList {
    unsafe fn word(&mut self) -> u64 {
        crate::misuse("lua_pushvfstring", "not available on this architecture")
    }
    unsafe fn double(&mut self) -> f64 {
        self.word() as f64
    }
}

/// The text of a format with its arguments.
unsafe fn format(l: *mut Thread, fmt: &[u8], args: &mut VaList) -> LResult<Value> {
    let mut out = Vec::with_capacity(fmt.len() + 64);
    let mut rest = fmt;
    while let Some(i) = rest.iter().position(|&b| b == b'%') {
        out.extend_from_slice(&rest[..i]);
        let conversion = rest.get(i + 1).copied().unwrap_or(0);
        rest = rest.get(i + 2..).unwrap_or(&[]);
        let number = match conversion {
            b's' => {
                let s = args.word() as *const c_char;
                out.extend_from_slice(match s.is_null() {
                    true => b"(null)",
                    false => CStr::from_ptr(s).to_bytes(),
                });
                continue;
            }
            b'c' => {
                out.push(args.word() as u8);
                continue;
            }
            b'p' => {
                match args.word() {
                    0 => out.extend_from_slice(b"(nil)"),
                    p => out.extend_from_slice(::std::format!("{p:#x}").as_bytes()),
                }
                continue;
            }
            b'U' => {
                let (bytes, n) = traceorus_vm::utf8::encode(args.word() as u32);
                out.extend_from_slice(&bytes[..n]);
                continue;
            }
            b'%' => {
                out.push(b'%');
                continue;
            }
            b'd' => Value::int(args.word() as c_int as i64),
            b'I' => Value::int(args.word() as i64),
            b'f' => Value::float(args.double()),
            c => {
                let shown = String::from_utf8_lossy(&[c]).into_owned();
                return Err(run_error(
                    l,
                    &::std::format!("invalid option '%{shown}' to 'lua_pushfstring'"),
                ));
            }
        };
        out.extend_from_slice(number::fmt_number(number).as_bytes());
    }
    out.extend_from_slice(rest);
    new_string(l, &out)
}

/// `lua_pushvfstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushvfstring(
    L: *mut lua_State,
    fmt: *const c_char,
    args: *mut VaList,
) -> *const c_char {
    let l = thread(L);
    let r = format(l, CStr::from_ptr(fmt).to_bytes(), &mut *args);
    let v = ok(l, r);
    push(l, v);
    safepoint(l);
    str_data(v.as_ptr()).cast()
}

/// What `luaL_error` becomes: an error with the position of the caller in front of the formatted text.
pub(crate) unsafe extern "C" fn error_v(
    L: *mut lua_State,
    fmt: *const c_char,
    args: *mut VaList,
) -> c_int {
    use traceorus_vm::ctx::{Ctx, Throw};
    let l = thread(L);
    let r: LResult<()> = match format(l, CStr::from_ptr(fmt).to_bytes(), &mut *args) {
        Ok(v) => {
            push(l, v);
            let cx = Ctx::new(l);
            Err(cx.error_bytes(cx.bytes(v)))
        }
        Err(Throw) => Err(Throw),
    };
    ok(l, r);
    0
}
