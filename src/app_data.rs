//! Data of the host in a state, one value per type.

use std::any::{Any, TypeId};
use std::cell::{Ref, RefCell, RefMut};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::Lua;
use crate::state::IdMap;

/// The values by type: each is a `RefCell<T>`.
#[derive(Default)]
pub(crate) struct AppData(RefCell<IdMap<Rc<dyn Any>>>);

impl AppData {
    fn get<T: 'static>(&self) -> Option<Rc<RefCell<T>>> {
        let cell = self.0.borrow().get(&TypeId::of::<T>())?.clone();
        cell.downcast().ok()
    }
    /// Drops all.
    pub(crate) fn clear(&self) {
        let all = self.0.take();
        drop(all);
    }
}

/// A value of the host, borrowed. See [`Lua::app_data_ref`].
pub struct AppDataRef<T: 'static> {
    // dropped first
    value: Ref<'static, T>,
    _cell: Rc<RefCell<T>>,
}

/// A value of the host, borrowed mutably. See [`Lua::app_data_mut`].
pub struct AppDataRefMut<T: 'static> {
    value: RefMut<'static, T>,
    _cell: Rc<RefCell<T>>,
}

impl<T> Deref for AppDataRef<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}
impl<T> Deref for AppDataRefMut<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}
impl<T> DerefMut for AppDataRefMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl Lua {
    /// Keeps a value of the host in the state, where callbacks find it by its type. Gives the value of that type that was there.
    ///
    /// ```
    /// struct Counter(u32);
    ///
    /// let lua = traceorus::Lua::new();
    /// lua.set_app_data(Counter(0));
    /// lua.register("tick", |lua, ()| {
    ///     lua.app_data_mut::<Counter>().expect("was set").0 += 1;
    ///     Ok(())
    /// })?;
    /// lua.load("tick() tick()").exec()?;
    /// assert_eq!(lua.app_data_ref::<Counter>().expect("was set").0, 2);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the value that was there is borrowed.
    pub fn set_app_data<T: 'static>(&self, value: T) -> Option<T> {
        let data = &self.state.app_data;
        if let Some(cell) = data.get::<T>() {
            return Some(cell.replace(value));
        }
        let cell: Rc<dyn Any> = Rc::new(RefCell::new(value));
        data.0.borrow_mut().insert(TypeId::of::<T>(), cell);
        None
    }
    /// The host's value of this type.
    ///
    /// # Panics
    /// If it is borrowed mutably.
    pub fn app_data_ref<T: 'static>(&self) -> Option<AppDataRef<T>> {
        let cell = self.state.app_data.get::<T>()?;
        // SAFETY: the guard keeps the cell, which does not move, and drops the borrow first.
        let value = unsafe { (*Rc::as_ptr(&cell)).borrow() };
        Some(AppDataRef { value, _cell: cell })
    }
    /// The host's value of this type, for changing it.
    ///
    /// # Panics
    /// If it is borrowed.
    pub fn app_data_mut<T: 'static>(&self) -> Option<AppDataRefMut<T>> {
        let cell = self.state.app_data.get::<T>()?;
        // SAFETY: as above.
        let value = unsafe { (*Rc::as_ptr(&cell)).borrow_mut() };
        Some(AppDataRefMut { value, _cell: cell })
    }
    /// Takes the host's value of this type out. `None` also if it is borrowed; it is gone from the state then, too.
    pub fn remove_app_data<T: 'static>(&self) -> Option<T> {
        let cell = self
            .state
            .app_data
            .0
            .borrow_mut()
            .remove(&TypeId::of::<T>())?;
        Rc::into_inner(cell.downcast::<RefCell<T>>().ok()?).map(RefCell::into_inner)
    }
}
