//! Rust values in blocks of userdata.
//!
//! The block of such a userdata is a [`Block`]: the value with a count of its borrows, as `RefCell` has. `Userdata::owner` is the
//! address of an [`Owner`], which tells the type and how to drop the value. Only [`create`] writes it, so the type is certain whatever
//! metatable a program may set. [CELL]: a block whose owner is of type `T` holds a `Block<T>`, and its value is there unless
//! the count says that it is gone.
//!
//! The value is dropped by [`collect`], once the userdata is garbage or its state is closed; by `take` or `destroy`; or at the end of a
//! scope. Never while it is borrowed: guards keep the userdata and the state alive.

use std::any::TypeId;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use traceorus_base::objects::Userdata;
use traceorus_base::{Tag, Value as Raw};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{exec, native};

use crate::state::State;
use crate::{Error, ErrorKind, Result};

/// What `Userdata::owner` points to.
pub(crate) struct Owner {
    /// `None`: nobody asks for the value by its type.
    type_id: Option<TypeId>,
    /// Drops the value in the block, unless it is borrowed or gone: then false.
    drop: unsafe fn(*mut u8) -> bool,
}

struct Typed<T>(T);
impl<T: 'static> Typed<T> {
    const OWNER: Owner = Owner {
        type_id: Some(TypeId::of::<T>()),
        drop: drop_block::<T>,
    };
}
struct Untyped<T>(T);
impl<T> Untyped<T> {
    const OWNER: Owner = Owner {
        type_id: None,
        drop: drop_block::<T>,
    };
}

/// How an owner is described.
pub(crate) fn typed<T: 'static>() -> &'static Owner {
    &Typed::<T>::OWNER
}
/// As [`typed`] for values that are never asked for by type.
pub(crate) fn untyped<T>() -> &'static Owner {
    &Untyped::<T>::OWNER
}

/// Borrows: so many shared ones, or one of these.
const EXCLUSIVE: isize = -1;
const GONE: isize = isize::MIN;

pub(crate) struct Block<T> {
    borrows: Cell<isize>,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Block<T> {
    /// Bytes that a userdata needs for it: blocks are aligned to 16 only.
    const SIZE: usize = size_of::<Block<T>>()
        + if align_of::<Block<T>>() > 16 {
            align_of::<Block<T>>()
        } else {
            0
        };
    /// Where it is in the block at `at`.
    fn locate(at: *mut u8) -> *mut Block<T> {
        let pad = if align_of::<Block<T>>() > 16 {
            at.align_offset(align_of::<Block<T>>())
        } else {
            0
        };
        at.wrapping_add(pad).cast()
    }
}

/// A value in a userdata that something keeps alive.
pub(crate) struct Access<T>(NonNull<Block<T>>);

impl<T> Clone for Access<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Access<T> {}

/// A userdata with a Rust value, if it is one: where its block is, and its owner.
fn owned(v: Raw) -> Option<(*mut u8, *const Owner)> {
    if v.tag != Tag::USERDATA {
        return None;
    }
    // SAFETY: [GC-LIVE] a live userdata.
    unsafe {
        let u = v.as_ptr::<Userdata>();
        let owner = (*u).owner as *const Owner;
        let block = (u as *mut u8).add(Userdata::block_offset((*u).nuv()));
        (!owner.is_null()).then_some((block, owner))
    }
}

/// The value of type `T` in a userdata.
#[inline]
pub(crate) fn of_type<T: 'static>(v: Raw) -> Option<Access<T>> {
    let (block, owner) = owned(v)?;
    // SAFETY: [CELL] owners are static.
    let fits =
        std::ptr::eq(owner, typed::<T>()) || unsafe { (*owner).type_id } == Some(TypeId::of::<T>());
    if !fits {
        return None;
    }
    NonNull::new(Block::locate(block)).map(Access)
}

/// The value in a userdata that is known to hold a `T`.
///
/// # Safety
/// [CELL] `v` is a live userdata made by [`create`] for a `T`.
pub(crate) unsafe fn known<T>(v: Raw) -> Access<T> {
    // SAFETY: as promised.
    unsafe {
        let u = v.as_ptr::<Userdata>();
        let block = (u as *mut u8).add(Userdata::block_offset((*u).nuv()));
        Access(NonNull::new_unchecked(Block::locate(block)))
    }
}

/// The type of the value in a userdata.
pub(crate) fn type_of(v: Raw) -> Option<TypeId> {
    // SAFETY: [CELL] owners are static.
    owned(v).and_then(|(_, owner)| unsafe { (*owner).type_id })
}

/// A shared borrow.
pub(crate) struct Shared<T>(Access<T>);
/// An exclusive one.
pub(crate) struct Exclusive<T>(Access<T>);

impl<T> Access<T> {
    #[inline]
    fn block(&self) -> &Block<T> {
        // SAFETY: [CELL] something keeps the userdata alive.
        unsafe { self.0.as_ref() }
    }
    #[inline]
    pub(crate) fn borrow(self) -> Result<Shared<T>> {
        let n = self.block().borrows.get();
        if n < 0 {
            return Err(refused(n, "borrowed mutably"));
        }
        self.block().borrows.set(n + 1);
        Ok(Shared(self))
    }
    #[inline]
    pub(crate) fn borrow_mut(self) -> Result<Exclusive<T>> {
        let n = self.block().borrows.get();
        if n != 0 {
            return Err(refused(n, "borrowed"));
        }
        self.block().borrows.set(EXCLUSIVE);
        Ok(Exclusive(self))
    }
    /// Takes the value out.
    pub(crate) fn take(self) -> Result<T> {
        let n = self.block().borrows.get();
        if n != 0 {
            return Err(refused(n, "borrowed"));
        }
        self.block().borrows.set(GONE);
        // SAFETY: [CELL] it was there, nobody has borrowed it, and nobody will look again.
        Ok(unsafe { (*self.block().value.get()).assume_init_read() })
    }
    /// The value, if nobody has borrowed it mutably. For types that nobody ever borrows so.
    pub(crate) fn shared(&self) -> Option<&T> {
        // SAFETY: [CELL] it is there.
        (self.block().borrows.get() >= 0)
            .then(|| unsafe { (*self.block().value.get()).assume_init_ref() })
    }
}

#[cold]
fn refused(n: isize, how: &str) -> Error {
    if n == GONE {
        Error::new(ErrorKind::Destructed, "the Rust value is gone")
    } else {
        Error::new(
            ErrorKind::Borrow,
            format!("the Rust value is already {how}"),
        )
    }
}

impl<T> Shared<T> {
    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: [CELL] the count of borrows keeps it there and unchanged.
        unsafe { (*self.0.block().value.get()).assume_init_ref() }
    }
}
impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        let b = &self.0.block().borrows;
        b.set(b.get() - 1);
    }
}
impl<T> Exclusive<T> {
    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: [CELL] the borrow is exclusive.
        unsafe { (*self.0.block().value.get()).assume_init_ref() }
    }
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: [CELL] the borrow is exclusive.
        unsafe { (*self.0.block().value.get()).assume_init_mut() }
    }
}
impl<T> Drop for Exclusive<T> {
    #[inline]
    fn drop(&mut self) {
        self.0.block().borrows.set(0);
    }
}

/// Drops the value in the block, unless it is borrowed or gone: then false.
///
/// # Safety
/// [CELL] the block holds a `Block<T>`.
unsafe fn drop_block<T>(at: *mut u8) -> bool {
    // SAFETY: as promised; nobody looks at the value once it counts as gone.
    unsafe {
        let b = &*Block::<T>::locate(at);
        if b.borrows.get() != 0 {
            return false;
        }
        b.borrows.set(GONE);
        (*b.value.get()).assume_init_drop();
        true
    }
}

/// Drops the value of a userdata now. False if it is borrowed or gone, or there is none.
pub(crate) fn destroy(v: Raw) -> bool {
    // SAFETY: [CELL] the block is of the owner's type.
    owned(v).is_some_and(|(block, owner)| unsafe { ((*owner).drop)(block) })
}

/// Makes a userdata that owns the value, with so many user values.
pub(crate) fn create<T>(
    state: &State,
    cx: Ctx,
    value: T,
    owner: &'static Owner,
    nuv: usize,
) -> Result<Raw> {
    state.reserve(cx, Block::<T>::SIZE + 256)?;
    // SAFETY: allocation of a fresh object, with room for the block, which is initialised at once.
    unsafe {
        let g = cx.g();
        let made = exec::new_owner(g, Block::<T>::SIZE, nuv, std::ptr::from_ref(owner) as u64);
        let (v, at) =
            made.ok_or_else(|| Error::new(ErrorKind::Handle, "the Lua state is being closed"))?;
        Block::<T>::locate(at).write(Block {
            borrows: Cell::new(0),
            value: UnsafeCell::new(MaybeUninit::new(value)),
        });
        Ok(v)
    }
}

/// Finalizer of all such userdata. Whoever else may call it cannot do harm: the value is gone then, as after `take`.
fn collect(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    // a panic of the destructor must not cross the interpreter's frames [NO-UNWIND]
    if let Err(p) = catch_unwind(AssertUnwindSafe(|| destroy(v)))
        && let Some(lua) = State::of(cx)
    {
        lua.state.keep_panic(p);
    }
    Ok(0)
}

/// Name of the metatable of errors in the registry, and of their type in messages.
const ERROR: &str = "error";
const ERROR_KEY: &str = "traceorus.error";

/// Readies a fresh state for such userdata.
pub(crate) fn install(cx: Ctx) {
    cx.g().owned_gc = cx.new_native("__gc", native!(collect), &[]);
    let (mt, _) = cx.new_metatable(ERROR_KEY);
    cx.raw_set_field(mt, "__name", cx.str(ERROR));
    cx.raw_set_field(mt, "__metatable", Raw::FALSE);
    cx.raw_set_field(
        mt,
        "__tostring",
        cx.new_native("tostring", native!(error_text), &[]),
    );
}

/// A fresh object for an error.
pub(crate) fn error_object(state: &Rc<State>, cx: Ctx, e: &Error) -> Raw {
    match create(state, cx, e.clone(), typed::<Error>(), 0) {
        Ok(v) => {
            cx.set_metatable(v, cx.registry_get(ERROR_KEY).as_ptr());
            v
        }
        Err(_) => cx.str(e.message()),
    }
}

/// `tostring` of an error: its message, with the position in front.
fn error_text(cx: Ctx) -> LResult<usize> {
    let text = match of_type::<Error>(cx.arg(1))
        .as_ref()
        .and_then(Access::shared)
    {
        Some(e) => match e.position() {
            Some((chunk, line)) => format!("{chunk}:{line}: {e}"),
            None => e.to_string(),
        },
        None => return Err(cx.type_error(1, ERROR)),
    };
    cx.ret(cx.str(text))
}
