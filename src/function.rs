//! Functions.

use traceorus_base::Value as Raw;
use traceorus_base::objects::{GcHeader, LuaClosure, ObjKind};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{debuginfo, dump, native};

use crate::convert::{Args, Stack};
use crate::state::{Ref, State};
use crate::{Error, FromLuaMulti, IntoLuaMulti, Lua, Result};

/// A Lua function, or a Rust one made by [`Lua::create_function`].
///
/// ```
/// use traceorus::{Function, Lua};
///
/// let lua = Lua::new();
/// let join: Function = lua.load("function(a, b) return a .. '-' .. b, #a + #b end").eval()?;
/// let (text, n): (String, usize) = join.call(("x", "yz"))?;
/// assert_eq!((text.as_str(), n), ("x-yz", 3));
/// let hello = join.bind("hello")?;
/// assert_eq!(hello.call::<String>("you")?, "hello-you");
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone)]
pub struct Function(pub(crate) Ref);

/// What is known of a function from its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// Name of the chunk, with its `@` or `=` in front.
    pub source: Option<String>,
    /// The same for messages.
    pub short_src: String,
    /// `"Lua"`, `"main"` (a chunk), or `"C"` (a native function).
    pub what: &'static str,
    /// Line of `function`; `None` for native functions.
    pub line_defined: Option<usize>,
    /// Line of its `end`.
    pub last_line_defined: Option<usize>,
    /// Parameters, without `...`.
    pub params: usize,
    /// It takes further arguments.
    pub is_vararg: bool,
    /// Upvalues.
    pub upvalues: usize,
}

impl State {
    /// Calls what is below the topmost `nargs` values; the results as what is wanted.
    #[inline]
    pub(crate) fn results<R: FromLuaMulti>(&self, lua: &Lua, cx: Ctx, nargs: usize) -> Result<R> {
        let n = self.finish_call(cx, nargs, -1)?;
        R::from_lua_args(&mut Args::results(cx, n), lua)
    }
}

impl Function {
    /// Calls the function. Arguments: one value, a tuple, [`MultiValue`](crate::MultiValue) or [`Variadic`](crate::Variadic). The
    /// results become what the caller asks for, in the same way.
    #[inline]
    pub fn call<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            lua.state.begin_call(cx);
            cx.push(self.0.raw(cx));
            let n = args.push_multi_into_lua(&lua, Stack(cx))?;
            lua.state.results(&lua, cx, n)
        })
    }
    /// A function that calls this one with these arguments in front of its own. At most 250.
    pub fn bind(&self, args: impl IntoLuaMulti) -> Result<Function> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            let at = cx.top() + 1;
            cx.push(self.0.raw(cx));
            let n = args.push_multi_into_lua(&lua, Stack(cx))?;
            if n > 250 {
                return Err(Error::runtime("too many arguments to bind"));
            }
            let all: Vec<Raw> = (at..=at + n).map(|i| cx.arg(i)).collect();
            let f = cx.new_native("bound", native!(call_bound), &all);
            Ok(Function(Ref::new(&lua.state, cx, f)))
        })
    }
    /// What is known of it.
    pub fn info(&self) -> Result<FunctionInfo> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            // SAFETY: [GC-LIVE] the function has a reference.
            let i = unsafe { debuginfo::func_info(self.0.raw(cx)) };
            let line = |n: i64| usize::try_from(n).ok();
            Ok(FunctionInfo {
                source: std::str::from_utf8(i.source).ok().map(str::to_owned),
                short_src: String::from_utf8_lossy(&i.short_src).into_owned(),
                what: i.what,
                line_defined: line(i.line_defined),
                last_line_defined: line(i.last_line_defined),
                params: i.nparams,
                is_vararg: i.is_vararg,
                upvalues: i.nups,
            })
        })
    }
    /// The function as a binary chunk, without values of upvalues; `strip` leaves debug information out. `None` for
    /// native functions.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// let code = lua.load("return 6 * 7").into_function()?.dump(true).expect("a Lua function");
    /// assert_eq!(lua.load(code).eval::<i64>()?, 42);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn dump(&self, strip: bool) -> Option<Vec<u8>> {
        let f = self.0.peek()?;
        // SAFETY: [GC-LIVE] the function has a reference; its kind is checked.
        unsafe {
            let lua = f.tag == traceorus_base::Tag::FUNCTION
                && (*f.as_ptr::<GcHeader>()).kind == ObjKind::LuaClosure as u8;
            lua.then(|| dump::dump((*f.as_ptr::<LuaClosure>()).proto, strip))
        }
    }
}

/// Calls upvalue 1 with the further upvalues in front of the arguments.
fn call_bound(cx: Ctx) -> LResult<usize> {
    let n = cx.top();
    // SAFETY: [NATIVE-FRAME] the running closure is in the function slot.
    let bound = unsafe { (*(*cx.base().sub(1)).as_ptr::<GcHeader>()).extra } as usize;
    cx.check_stack(bound + n + 8, "too many arguments")?;
    for i in 1..=bound {
        cx.push(cx.upvalue(i));
    }
    for i in 1..=n {
        cx.push(cx.arg(i));
    }
    cx.call_pass(bound - 1 + n, None)
}
