//! Functions with `...`, which Rust cannot define: each builds the `va_list` of its arguments and jumps on.

use std::ffi::c_int;

use crate::types::lua_State;

#[cfg(target_arch = "x86_64")]
mod shims {
    use crate::fmt;

    // System V: a `va_list` of 24 bytes at the stack pointer, then the saved registers: six words, of which the first two are the
    // fixed arguments, and eight times 16 bytes; then the return address and the arguments in memory.
    std::arch::global_asm!(
        ".macro TRACEORUS_VARIADIC name, target",
        ".text",
        ".balign 16",
        ".globl \\name",
        ".type \\name, @function",
        "\\name:",
        ".cfi_startproc",
        "sub rsp, 216",
        ".cfi_def_cfa_offset 224",
        "mov [rsp + 48], rdx",
        "mov [rsp + 56], rcx",
        "mov [rsp + 64], r8",
        "mov [rsp + 72], r9",
        "test al, al",
        "je 2f",
        "movaps [rsp + 80], xmm0",
        "movaps [rsp + 96], xmm1",
        "movaps [rsp + 112], xmm2",
        "movaps [rsp + 128], xmm3",
        "movaps [rsp + 144], xmm4",
        "movaps [rsp + 160], xmm5",
        "movaps [rsp + 176], xmm6",
        "movaps [rsp + 192], xmm7",
        "2:",
        "mov dword ptr [rsp], 16",
        "mov dword ptr [rsp + 4], 48",
        "lea rax, [rsp + 224]",
        "mov [rsp + 8], rax",
        "lea rax, [rsp + 32]",
        "mov [rsp + 16], rax",
        "mov rdx, rsp",
        "call \\target",
        "add rsp, 216",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_endproc",
        ".size \\name, . - \\name",
        ".endm",
        "TRACEORUS_VARIADIC lua_pushfstring, {push}",
        "TRACEORUS_VARIADIC luaL_error, {error}",
        push = sym fmt::lua_pushvfstring,
        error = sym fmt::error_v,
    );
}

unsafe extern "C" {
    /// `lua_pushfstring`.
    pub fn lua_pushfstring(
        L: *mut lua_State,
        fmt: *const std::ffi::c_char,
        ...
    ) -> *const std::ffi::c_char;
    /// `luaL_error`.
    pub fn luaL_error(L: *mut lua_State, fmt: *const std::ffi::c_char, ...) -> c_int;
}
