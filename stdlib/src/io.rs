//! Input and output library over C streams. A file handle is a full userdata with the layout of luaL_Stream, so that
//! C modules can share it.

use libc::{FILE, c_int};
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::{NativeFn, Table, Userdata};
use traceorus_base::{Tag, Value};
use traceorus_vm::cfunc::{self, CFunction, Ended};
use traceorus_vm::ctx::{Ctx, LResult, Throw};
use traceorus_vm::{c_function, fastfn, native, number, table};

use crate::base::check_output;
use crate::{c_ptr, cfile, exec_result, file_result};

/// Name of the handles' metatable in the registry.
pub const HANDLE: &str = "FILE*";
const INPUT: &str = "_IO_input";
const OUTPUT: &str = "_IO_output";

/// Block of a file handle (luaL_Stream).
#[repr(C)]
pub struct Stream {
    /// Null for a file that could not be opened.
    pub f: *mut FILE,
    /// Closes the stream that is argument 1 and pushes the results; `None` once closed.
    pub closef: Option<CFunction>,
}

/// Opens the library.
pub fn open(cx: Ctx) -> *mut Table {
    let (meta, _) = cx.new_metatable(HANDLE);
    let mt = Value::ptr(meta, Tag::TABLE);
    // every function has the metatable as upvalue 1, and the registry's key of its default file as upvalue 2
    let register = |t: *mut Table, key: &str, funcs: &[(&'static str, NativeFn)]| {
        let key = cx.str(key);
        for &(name, f) in funcs {
            cx.raw_set_field(t, name, cx.new_native(name, f, &[mt, key]));
        }
    };
    let methods = cx.new_table(0, 7);
    register(
        methods,
        OUTPUT,
        &[
            ("read", native!(f_read)),
            ("write", native!(f_write)),
            ("lines", native!(f_lines)),
            ("flush", native!(f_flush)),
            ("seek", native!(f_seek)),
            ("close", native!(f_close)),
            ("setvbuf", native!(f_setvbuf)),
        ],
    );
    fastfn::install(cx, "FILE*", methods);
    cx.raw_set_field(meta, "__index", Value::ptr(methods, Tag::TABLE));
    register(
        meta,
        OUTPUT,
        &[
            ("__gc", native!(f_gc)),
            ("__close", native!(f_gc)),
            ("__tostring", native!(f_tostring)),
        ],
    );
    let t = cx.new_table(0, 14);
    register(
        t,
        OUTPUT,
        &[
            ("close", native!(io_close)),
            ("flush", native!(io_flush)),
            ("open", native!(io_open)),
            ("output", native!(io_output)),
            ("popen", native!(io_popen)),
            ("tmpfile", native!(io_tmpfile)),
            ("type", native!(io_type)),
            ("write", native!(io_write)),
        ],
    );
    register(
        t,
        INPUT,
        &[
            ("input", native!(io_input)),
            ("lines", native!(io_lines)),
            ("read", native!(io_read)),
        ],
    );
    for (name, f, key) in [
        ("stdin", cfile::stdin(), Some(INPUT)),
        ("stdout", cfile::stdout(), Some(OUTPUT)),
        ("stderr", cfile::stderr(), None),
    ] {
        let (v, s) = new_stream(cx, meta);
        // SAFETY: [GC-LIVE] just made.
        unsafe {
            (*s).f = f;
            (*s).closef = Some(c_function!(close_standard));
        }
        if let Some(key) = key {
            cx.registry_set(key, v);
        }
        cx.raw_set_field(t, name, v);
    }
    t
}

/// A closed handle.
fn new_stream(cx: Ctx, meta: *mut Table) -> (Value, *mut Stream) {
    let (v, block) = cx.new_userdata(size_of::<Stream>(), 0);
    let s = block.cast::<Stream>();
    // SAFETY: [GC-LIVE] a fresh block of the right size.
    unsafe {
        s.write(Stream {
            f: std::ptr::null_mut(),
            closef: None,
        })
    };
    cx.set_metatable(v, meta);
    (v, s)
}

/// The metatable of handles: upvalue 1.
fn meta(cx: Ctx) -> *mut Table {
    cx.upvalue(1).as_ptr()
}

/// A handle for a file to be opened; pushed.
fn push_new_file(cx: Ctx) -> *mut Stream {
    let (v, s) = new_stream(cx, meta(cx));
    cx.push(v);
    // SAFETY: [GC-LIVE] pushed.
    unsafe { (*s).closef = Some(c_function!(close_file)) };
    s
}

/// The stream of a handle, if `v` is one.
fn stream_of(v: Value, meta: *mut Table) -> Option<*mut Stream> {
    if v.tag != Tag::USERDATA {
        return None;
    }
    // SAFETY: [GC-LIVE] the caller's value is reachable; the metatable marks blocks of our layout.
    unsafe {
        let u = v.as_ptr::<Userdata>();
        ((*u).metatable == meta && (*u).owner == 0).then(|| {
            u.cast::<u8>()
                .add(Userdata::block_offset((*u).nuv()))
                .cast::<Stream>()
        })
    }
}

/// The stream of argument `i`, open or closed.
fn check_stream(cx: Ctx, i: usize) -> LResult<*mut Stream> {
    stream_of(cx.arg(i), meta(cx)).ok_or_else(|| cx.type_error(i, HANDLE))
}

/// The open file of argument 1.
fn to_file(cx: Ctx) -> LResult<*mut FILE> {
    let s = check_stream(cx, 1)?;
    // SAFETY: [GC-LIVE] an argument.
    unsafe {
        if (*s).closef.is_none() {
            return Err(cx.error("attempt to use a closed file"));
        }
        Ok((*s).f)
    }
}

/// The default file whose registry key is upvalue 2, and its open stream.
fn default_file(cx: Ctx) -> LResult<(Value, *mut FILE)> {
    let key = cx.upvalue(2);
    // SAFETY: [GC-LIVE] the registry.
    let v = unsafe { table::table_get_str(cx.g().hot.registry, key.as_ptr()) };
    if let Some(s) = stream_of(v, meta(cx)) {
        // SAFETY: [GC-LIVE] held by the registry.
        unsafe {
            if (*s).closef.is_some() {
                return Ok((v, (*s).f));
            }
        }
    }
    let name = String::from_utf8_lossy(&cx.bytes(key)[4..]).into_owned();
    Err(cx.error(format_args!("default {name} file is closed")))
}

fn io_type(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    cx.ret(match stream_of(v, meta(cx)) {
        None => Value::NIL,
        // SAFETY: [GC-LIVE] an argument.
        Some(s) => cx.str(if unsafe { (*s).closef.is_none() } {
            "closed file"
        } else {
            "file"
        }),
    })
}

fn f_tostring(cx: Ctx) -> LResult<usize> {
    let s = check_stream(cx, 1)?;
    // SAFETY: [GC-LIVE] an argument.
    let text = unsafe {
        if (*s).closef.is_none() {
            "file (closed)".into()
        } else {
            format!("file ({:p})", (*s).f)
        }
    };
    cx.ret(cx.str(&text))
}

// ---- closing -----------------------------------------------------------------------------------------------------

/// Closes the stream of argument 1.
unsafe fn close_stream(cx: Ctx, s: *mut Stream) -> LResult<usize> {
    // SAFETY: [GC-LIVE] the caller holds the stream; [NATIVE-FRAME] the close function works in our frame.
    unsafe {
        let Some(f) = (*s).closef.take() else {
            return Ok(0);
        };
        let state = cfunc::state_of(cx.l) as usize;
        match cfunc::call_c(cx.l, f as usize, [state, 0, 0]) {
            Ended::Returned(n) => Ok(n as i32 as usize),
            _ => Err(Throw),
        }
    }
}

/// The stream of argument 1 in a close function, which may run as any function.
fn closing_stream(cx: Ctx) -> LResult<*mut Stream> {
    Ok(cx.check_udata(1, HANDLE)?.cast())
}

fn close_file(cx: Ctx) -> LResult<usize> {
    let s = closing_stream(cx)?;
    cfile::set_errno(0);
    // SAFETY: [GC-LIVE] an argument; an open file, not used any more.
    let ok = unsafe { libc::fclose((*s).f) } == 0;
    file_result(cx, ok, None)
}

fn close_pipe(cx: Ctx) -> LResult<usize> {
    let s = closing_stream(cx)?;
    cfile::set_errno(0);
    // SAFETY: [GC-LIVE] an argument; an open pipe, not used any more.
    let status = unsafe { libc::pclose((*s).f) };
    exec_result(cx, status)
}

fn close_standard(cx: Ctx) -> LResult<usize> {
    let s = closing_stream(cx)?;
    // SAFETY: [GC-LIVE] an argument.
    unsafe { (*s).closef = Some(c_function!(close_standard)) };
    cx.ret_all(&[Value::NIL, cx.str("cannot close standard file")])
}

fn f_close(cx: Ctx) -> LResult<usize> {
    to_file(cx)?;
    let s = check_stream(cx, 1)?;
    // SAFETY: [GC-LIVE] an argument.
    unsafe { close_stream(cx, s) }
}

fn io_close(cx: Ctx) -> LResult<usize> {
    if cx.is_none(1) {
        cx.push(cx.registry_get(OUTPUT));
    }
    f_close(cx)
}

fn f_gc(cx: Ctx) -> LResult<usize> {
    let s = check_stream(cx, 1)?;
    // SAFETY: [GC-LIVE] an argument.
    unsafe {
        if (*s).closef.is_some() && !(*s).f.is_null() {
            close_stream(cx, s)?;
        }
    }
    Ok(0)
}

// ---- opening -----------------------------------------------------------------------------------------------------

/// Matches `[rwa]%+?b*`.
fn is_open_mode(mode: &[u8]) -> bool {
    let rest = match mode {
        [b'r' | b'w' | b'a', b'+', rest @ ..] | [b'r' | b'w' | b'a', rest @ ..] => rest,
        _ => return false,
    };
    rest.iter().all(|&b| b == b'b')
}

fn io_open(cx: Ctx) -> LResult<usize> {
    let name = cx.check_str(1)?;
    let mode = cx.opt_str(2)?.unwrap_or(b"r\0");
    if !is_open_mode(cfile::until_nul(mode)) {
        return Err(cx.arg_error(2, "invalid mode"));
    }
    cfile::sync_print();
    let s = push_new_file(cx);
    cfile::set_errno(0);
    // SAFETY: C strings; [GC-LIVE] the handle is in the frame.
    unsafe {
        (*s).f = libc::fopen(c_ptr(name), c_ptr(mode));
        if (*s).f.is_null() {
            file_result(cx, false, Some(name))
        } else {
            Ok(1)
        }
    }
}

/// Opens a file for `io.lines`, `io.input` and `io.output`; pushed.
fn push_opened(cx: Ctx, name: &[u8], mode: &[u8]) -> LResult<()> {
    let s = push_new_file(cx);
    cfile::set_errno(0);
    // SAFETY: C strings; [GC-LIVE] the handle is in the frame.
    unsafe {
        (*s).f = libc::fopen(c_ptr(name), c_ptr(mode));
        if (*s).f.is_null() {
            let why = cfile::strerror(cfile::errno());
            return Err(cx.error_bytes(
                &[
                    b"cannot open file '",
                    cfile::until_nul(name),
                    b"' (",
                    &why,
                    b")",
                ]
                .concat(),
            ));
        }
    }
    Ok(())
}

fn io_popen(cx: Ctx) -> LResult<usize> {
    let cmd = cx.check_str(1)?;
    let mode = cx.opt_str(2)?.unwrap_or(b"r\0");
    if !matches!(cfile::until_nul(mode), b"r" | b"w") {
        return Err(cx.arg_error(2, "invalid mode"));
    }
    let s = push_new_file(cx);
    cfile::set_errno(0);
    // SAFETY: C strings; a null stream flushes all; [GC-LIVE] the handle is in the frame.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        (*s).f = libc::popen(c_ptr(cmd), c_ptr(mode));
        (*s).closef = Some(c_function!(close_pipe));
        if (*s).f.is_null() {
            file_result(cx, false, Some(cmd))
        } else {
            Ok(1)
        }
    }
}

fn io_tmpfile(cx: Ctx) -> LResult<usize> {
    let s = push_new_file(cx);
    cfile::set_errno(0);
    // SAFETY: [GC-LIVE] the handle is in the frame.
    unsafe {
        (*s).f = libc::tmpfile();
        if (*s).f.is_null() {
            file_result(cx, false, None)
        } else {
            Ok(1)
        }
    }
}

/// `io.input` and `io.output`.
fn default_or_set(cx: Ctx, mode: &[u8]) -> LResult<usize> {
    let key = cx.upvalue(2);
    let registry = Value::ptr(cx.g().hot.registry, Tag::TABLE);
    if !cx.is_none_or_nil(1) {
        if cx.arg(1).tag == Tag::STRING || cx.arg(1).tag.is_number() {
            let name = cx.check_str(1)?;
            push_opened(cx, name, mode)?;
        } else {
            to_file(cx)?;
            cx.push(cx.arg(1));
        }
        let file = cx.pop();
        cx.raw_set(registry.as_ptr(), key, file)?;
    }
    // SAFETY: [GC-LIVE] the registry.
    cx.ret(unsafe { table::table_get_str(registry.as_ptr(), key.as_ptr()) })
}

fn io_input(cx: Ctx) -> LResult<usize> {
    default_or_set(cx, b"r\0")
}

fn io_output(cx: Ctx) -> LResult<usize> {
    default_or_set(cx, b"w\0")
}

// ---- lines -------------------------------------------------------------------------------------------------------

/// Most formats of `lines`.
const MAX_FORMATS: usize = 250;

/// The iterator over the file of argument 1 with the formats of the other arguments. Its upvalues: the metatable, the
/// file, whether it closes the file at the end, the formats.
fn lines_iterator(cx: Ctx, close: bool) -> LResult<Value> {
    let n = cx.top() - 1;
    if n > MAX_FORMATS {
        return Err(cx.arg_error(MAX_FORMATS + 2, "too many arguments"));
    }
    let mut up = vec![cx.upvalue(1), cx.arg(1), Value::bool(close)];
    up.extend((0..n).map(|i| cx.arg(i + 2)));
    let f = cx.new_native("lines_iterator", native!(next_line), &up);
    fastfn::number(f, FastFn::LinesNext);
    Ok(f)
}

fn f_lines(cx: Ctx) -> LResult<usize> {
    to_file(cx)?;
    let f = lines_iterator(cx, false)?;
    cx.ret(f)
}

fn io_lines(cx: Ctx) -> LResult<usize> {
    if cx.is_none(1) {
        cx.push(Value::NIL);
    }
    if cx.arg(1).is_nil() {
        cx.set(1, cx.registry_get(INPUT));
        return f_lines(cx);
    }
    let name = cx.check_str(1)?;
    push_opened(cx, name, b"r\0")?;
    let file = cx.pop();
    cx.set(1, file);
    let f = lines_iterator(cx, true)?;
    cx.ret_all(&[f, Value::NIL, Value::NIL, file])
}

fn next_line(cx: Ctx) -> LResult<usize> {
    let file = cx.upvalue(2);
    let Some(s) = stream_of(file, meta(cx)) else {
        return Err(cx.error("file is already closed"));
    };
    // SAFETY: [GC-LIVE] an upvalue of the running closure.
    let f = unsafe {
        if (*s).closef.is_none() {
            return Err(cx.error("file is already closed"));
        }
        (*s).f
    };
    // SAFETY: [GC-LIVE] the running closure.
    let nup = unsafe { (*(*cx.base().sub(1)).as_ptr::<traceorus_base::objects::GcHeader>()).extra }
        as usize;
    cx.set_top(1);
    cx.check_stack(nup, "too many arguments")?;
    for i in 4..=nup {
        cx.push(cx.upvalue(i));
    }
    let n = read(cx, f, 2)?;
    let first = cx.top() + 1 - n;
    if cx.to_bool(first) {
        return Ok(n);
    }
    if n > 1 {
        let m = cx.arg(first + 1);
        return Err(if m.tag == Tag::STRING {
            cx.error_bytes(cx.bytes(m))
        } else {
            cx.error("(null)")
        });
    }
    if cx.upvalue(3).tag == Tag::TRUE {
        cx.set_top(0);
        cx.push(file);
        // SAFETY: [GC-LIVE] pushed.
        unsafe { close_stream(cx, s)? };
    }
    Ok(0)
}

// ---- reading -----------------------------------------------------------------------------------------------------

/// Longest numeral.
const MAX_NUMERAL: usize = 200;

/// A prefix of the input that may be a numeral.
struct Numeral {
    input: cfile::Locked,
    /// Look-ahead.
    c: c_int,
    text: Vec<u8>,
    too_long: bool,
}

impl Numeral {
    /// Takes the look-ahead and reads on; false if the text is too long.
    fn take(&mut self) -> bool {
        if self.text.len() >= MAX_NUMERAL {
            self.too_long = true;
            return false;
        }
        self.text.push(self.c as u8);
        self.c = self.input.getc();
        true
    }
    fn take_if(&mut self, set: &[u8]) -> bool {
        u8::try_from(self.c).is_ok_and(|c| set.contains(&c)) && self.take()
    }
    fn digits(&mut self, hex: bool) -> usize {
        let mut n = 0;
        while u8::try_from(self.c).is_ok_and(|c| {
            if hex {
                c.is_ascii_hexdigit()
            } else {
                c.is_ascii_digit()
            }
        }) && self.take()
        {
            n += 1;
        }
        n
    }
}

/// Reads a numeral.
unsafe fn read_number(f: *mut FILE) -> Option<Value> {
    // SAFETY: the caller vouches for the stream; the C library's own string.
    let (input, point) = unsafe {
        (
            cfile::Locked::new(f),
            *(*libc::localeconv()).decimal_point as u8,
        )
    };
    let mut r = Numeral {
        c: 0,
        input,
        text: Vec::with_capacity(32),
        too_long: false,
    };
    loop {
        r.c = r.input.getc();
        if !matches!(r.c, 0x20 | 0x09..=0x0d) {
            break;
        }
    }
    r.take_if(b"-+");
    let mut count = 0;
    let mut hex = false;
    if r.take_if(b"0") {
        if r.take_if(b"xX") {
            hex = true;
        } else {
            count = 1;
        }
    }
    count += r.digits(hex);
    let at = r.text.len();
    if r.take_if(&[point, b'.']) {
        r.text[at] = b'.';
        count += r.digits(hex);
    }
    if count > 0 && r.take_if(if hex { b"pP" } else { b"eE" }) {
        r.take_if(b"-+");
        r.digits(false);
    }
    r.input.ungetc(r.c);
    if r.too_long {
        None
    } else {
        traceorus_base::number::str_to_number(&r.text)
    }
}

/// Reads up to `n` bytes.
unsafe fn read_bytes(f: *mut FILE, n: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut step = 4096;
    while out.len() < n {
        let want = step.min(n - out.len());
        if out.try_reserve(want).is_err() {
            break;
        }
        // SAFETY: the caller vouches for the stream; the spare room is at least `want` bytes, `got` of them get written.
        unsafe {
            let got = libc::fread(out.spare_capacity_mut().as_mut_ptr().cast(), 1, want, f);
            out.set_len(out.len() + got);
            if got < want {
                break;
            }
        }
        step = (step * 2).min(1 << 24);
    }
    out
}

/// Reads by the formats in the arguments from `first` on, pushes the results and gives their number.
fn read(cx: Ctx, f: *mut FILE, first: usize) -> LResult<usize> {
    // SAFETY: an open stream.
    unsafe { libc::clearerr(f) };
    cfile::set_errno(0);
    let formats = first..cx.top() + 1;
    let mut ok = true;
    let mut pushed = 0;
    if formats.is_empty() {
        ok = push_line(cx, f, true)?;
        pushed = 1;
    } else {
        cx.check_stack(formats.len() + 20, "too many arguments")?;
    }
    for i in formats {
        if !ok {
            break;
        }
        pushed += 1;
        if cx.arg(i).tag.is_number() {
            ok = push_count(cx, f, cx.check_int(i)? as usize)?;
            continue;
        }
        let format = cx.check_str(i)?;
        let format = format.strip_prefix(b"*").unwrap_or(format);
        ok = match format.first() {
            // SAFETY: an open stream.
            Some(b'n') => match unsafe { read_number(f) } {
                Some(v) => {
                    cx.push(v);
                    true
                }
                None => {
                    cx.push(Value::NIL);
                    false
                }
            },
            Some(b'l') => push_line(cx, f, true)?,
            Some(b'L') => push_line(cx, f, false)?,
            Some(b'a') => {
                // SAFETY: an open stream.
                let bytes = unsafe { read_bytes(f, usize::MAX) };
                cx.push(cx.try_str(&bytes)?);
                true
            }
            _ => return Err(cx.arg_error(i, "invalid format")),
        };
    }
    // SAFETY: an open stream.
    if unsafe { libc::ferror(f) } != 0 {
        return file_result(cx, false, None);
    }
    if !ok {
        cx.pop();
        cx.push(Value::NIL);
    }
    Ok(pushed)
}

/// Reads a line, with or without its newline; false at the end of the file.
fn push_line(cx: Ctx, f: *mut FILE, chop: bool) -> LResult<bool> {
    // SAFETY: an open stream.
    unsafe {
        cfile::read_line(f, |line| {
            let text = if chop {
                line.strip_suffix(b"\n").unwrap_or(line)
            } else {
                line
            };
            cx.push(cx.try_str(text)?);
            Ok(!line.is_empty())
        })
    }
}

/// Reads up to `n` bytes; false at the end of the file.
fn push_count(cx: Ctx, f: *mut FILE, n: usize) -> LResult<bool> {
    // SAFETY: an open stream; a buffer of at least `n` bytes.
    unsafe {
        if n == 0 {
            let c = libc::fgetc(f);
            libc::ungetc(c, f);
            cx.push(cx.str(""));
            return Ok(c != libc::EOF);
        }
        let mut small = [0u8; 512];
        if n <= small.len() {
            let got = libc::fread(small.as_mut_ptr().cast(), 1, n, f);
            cx.push(cx.str(&small[..got]));
            return Ok(got > 0);
        }
        let bytes = read_bytes(f, n);
        cx.push(cx.try_str(&bytes)?);
        Ok(!bytes.is_empty())
    }
}

fn io_read(cx: Ctx) -> LResult<usize> {
    let (_, f) = default_file(cx)?;
    read(cx, f, 1)
}

fn f_read(cx: Ctx) -> LResult<usize> {
    let f = to_file(cx)?;
    read(cx, f, 2)
}

// ---- writing -----------------------------------------------------------------------------------------------------

/// Writes the arguments from `first` on; the result is the file.
fn write(cx: Ctx, file: Value, f: *mut FILE, first: usize) -> LResult<usize> {
    if f == cfile::stderr() {
        cfile::sync_print();
    }
    cfile::set_errno(0);
    let mut error = None;
    for i in first..=cx.top() {
        let v = cx.arg(i);
        // SAFETY: an open stream.
        let ok = unsafe {
            match v.tag {
                Tag::STRING => cfile::write(f, cx.bytes(v)),
                Tag::INT => cfile::write(f, number::fmt_int(v.as_int()).as_bytes()),
                // as "%.14g": without the ".0" that tostring appends
                Tag::FLOAT => {
                    let text = number::fmt_float(v.as_float());
                    let text = text.as_bytes();
                    cfile::write(f, text.strip_suffix(b".0").unwrap_or(text))
                }
                _ => cfile::write(f, cx.check_str(i)?),
            }
        };
        if !ok && error.is_none() {
            error = Some(cfile::errno());
        }
    }
    match error {
        None => cx.ret(file),
        Some(e) => failed(cx, f, e),
    }
}

/// Results of a failed write, with the error's number.
#[cold]
fn failed(cx: Ctx, f: *mut FILE, e: c_int) -> LResult<usize> {
    if f == cfile::stdout() {
        check_output(cx, e)?;
    }
    cfile::set_errno(e);
    file_result(cx, false, None)
}

fn io_write(cx: Ctx) -> LResult<usize> {
    let (file, f) = default_file(cx)?;
    write(cx, file, f, 1)
}

fn f_write(cx: Ctx) -> LResult<usize> {
    let f = to_file(cx)?;
    write(cx, cx.arg(1), f, 2)
}

fn flush(cx: Ctx, f: *mut FILE) -> LResult<usize> {
    cfile::set_errno(0);
    // SAFETY: an open stream.
    if unsafe { cfile::flush(f) } {
        cx.ret(Value::TRUE)
    } else {
        failed(cx, f, cfile::errno())
    }
}

fn io_flush(cx: Ctx) -> LResult<usize> {
    let (_, f) = default_file(cx)?;
    flush(cx, f)
}

fn f_flush(cx: Ctx) -> LResult<usize> {
    let f = to_file(cx)?;
    flush(cx, f)
}

fn f_seek(cx: Ctx) -> LResult<usize> {
    let f = to_file(cx)?;
    let whence = [libc::SEEK_SET, libc::SEEK_CUR, libc::SEEK_END]
        [cx.check_option(2, Some("cur"), &["set", "cur", "end"])?];
    let offset = cx.opt_int(3, 0)?;
    cfile::set_errno(0);
    // SAFETY: an open stream.
    unsafe {
        if libc::fseeko(f, offset, whence) != 0 {
            return file_result(cx, false, None);
        }
        cx.ret(Value::int(libc::ftello(f)))
    }
}

fn f_setvbuf(cx: Ctx) -> LResult<usize> {
    let f = to_file(cx)?;
    let mode = [libc::_IONBF, libc::_IOFBF, libc::_IOLBF]
        [cx.check_option(2, None, &["no", "full", "line"])?];
    let size = cx.opt_int(3, 1024)?;
    cfile::set_errno(0);
    // SAFETY: an open stream; the C library makes the buffer.
    let ok = unsafe { libc::setvbuf(f, std::ptr::null_mut(), mode, size as usize) } == 0;
    file_result(cx, ok, None)
}

#[cfg(test)]
mod tests {
    use super::is_open_mode;

    #[test]
    fn modes() {
        for m in ["r", "w", "a", "r+", "wb", "a+b", "rbb"] {
            assert!(is_open_mode(m.as_bytes()), "{m}");
        }
        for m in ["", "x", "r++", "+r", "rt", "rw"] {
            assert!(!is_open_mode(m.as_bytes()), "{m}");
        }
    }
}
