//! Values of any serde type, in postcard's encoding.

use core::fmt;
use indelible::{Index, Medium, Store, Transaction};
use serde::{Deserialize, Serialize};

/// Why a typed value could not be read or written; `E` is the medium's error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TypedError<E> {
    /// The store's error. [`indelible::Error::BufferTooSmall`] says how many
    /// bytes the lent buffer needs.
    Store(indelible::Error<E>),
    /// The value does not fit into the lent buffer, or its type cannot be
    /// encoded.
    Encode(postcard::Error),
    /// The bytes under this key are no value of this type: written by something
    /// else, or by a version of the program with another type. They are whole:
    /// damage is a [`TypedError::Store`].
    Decode(postcard::Error),
}

impl<E> From<indelible::Error<E>> for TypedError<E> {
    fn from(error: indelible::Error<E>) -> Self {
        TypedError::Store(error)
    }
}

impl<E: fmt::Display> fmt::Display for TypedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(cause) => write!(f, "{cause}"),
            Self::Encode(cause) => write!(f, "value cannot be encoded: {cause}"),
            Self::Decode(cause) => write!(f, "bytes are no value of this type: {cause}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for TypedError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Store(cause) => Some(cause),
            Self::Encode(cause) | Self::Decode(cause) => Some(cause),
        }
    }
}

/// Typed reads: on a [`Store`] and inside a [`Transaction`], which sees its own
/// changes.
///
/// Bytes that are left over behind a value are ignored, so a later version of
/// a type may have had more fields at its end. To change a type otherwise, put
/// a version into the key or make it an enum.
///
/// ```
/// use indelible_embedded::{TypedGet, TypedPut};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct Network<'a> {
///     name: &'a str,
///     channel: u8,
/// }
///
/// # use indelible::{Config, HashIndex, Mode, StaticMemory, Store, setup};
/// # let mut bytes = [0xFF; 64 * 1024];
/// # let mut medium = indelible_embedded::Nor::new(indelible_embedded::RamFlash::<1, 4, 1024>::new(&mut bytes))?;
/// # setup(&mut medium, &Config { id: 1, nonce: 2, segment_size: None, logs: &[] })?;
/// # let mut memory = StaticMemory::<64, 0, 0, 16, 64>::new();
/// # let mut slots = [0; 64];
/// # let (mut store, _) = Store::start(medium, HashIndex::new(&mut slots), memory.lend(), None, Mode::ReadWrite)?;
/// let mut buffer = [0; 64];
/// let home = Network { name: "home", channel: 6 };
/// store.put_value(b"network", &home, &mut buffer)?;
/// assert_eq!(store.get_value(b"network", &mut buffer)?, Some(home));
/// assert_eq!(store.get_value::<u32>(b"boots", &mut buffer)?, None);
///
/// // Several, all or nothing.
/// let mut transaction = store.transaction();
/// transaction.put_value(b"boots", &7u32, &mut buffer)?;
/// transaction.put_value(b"volume", &0.5f32, &mut buffer)?;
/// transaction.commit()?;
/// assert_eq!(store.get_value(b"boots", &mut buffer)?, Some(7u32));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub trait TypedGet<E> {
    /// The value of a key, decoded in `buffer`, which must hold its bytes and
    /// lives as long as what the value borrows. `None` where the key is absent.
    ///
    /// # Errors
    /// [`TypedError::Store`], [`TypedError::Decode`].
    fn get_value<'b, T: Deserialize<'b>>(
        &self,
        key: &[u8],
        buffer: &'b mut [u8],
    ) -> Result<Option<T>, TypedError<E>>;
}

/// Typed writes: durable at once on a [`Store`], with the commit in a
/// [`Transaction`]. See [`TypedGet`] for an example.
pub trait TypedPut<E> {
    /// Encodes a value in `buffer` and puts it under a key. The store is not
    /// touched where it does not fit.
    ///
    /// # Errors
    /// [`TypedError::Encode`], [`TypedError::Store`].
    fn put_value<T: Serialize + ?Sized>(
        &mut self,
        key: &[u8],
        value: &T,
        buffer: &mut [u8],
    ) -> Result<(), TypedError<E>>;
}

impl<M: Medium, I: Index> TypedGet<M::Error> for Store<'_, M, I> {
    fn get_value<'b, T: Deserialize<'b>>(
        &self,
        key: &[u8],
        buffer: &'b mut [u8],
    ) -> Result<Option<T>, TypedError<M::Error>> {
        let Some(len) = self.get(key, buffer)? else {
            return Ok(None);
        };
        let bytes = buffer.get(..len).unwrap_or_default();
        postcard::from_bytes(bytes)
            .map(Some)
            .map_err(TypedError::Decode)
    }
}

impl<M: Medium, I: Index> TypedGet<M::Error> for Transaction<'_, '_, M, I> {
    fn get_value<'b, T: Deserialize<'b>>(
        &self,
        key: &[u8],
        buffer: &'b mut [u8],
    ) -> Result<Option<T>, TypedError<M::Error>> {
        self.store().get_value(key, buffer)
    }
}

impl<M: Medium, I: Index> TypedPut<M::Error> for Store<'_, M, I> {
    fn put_value<T: Serialize + ?Sized>(
        &mut self,
        key: &[u8],
        value: &T,
        buffer: &mut [u8],
    ) -> Result<(), TypedError<M::Error>> {
        let bytes = postcard::to_slice(value, buffer).map_err(TypedError::Encode)?;
        Ok(self.put(key, bytes)?)
    }
}

impl<M: Medium, I: Index> TypedPut<M::Error> for Transaction<'_, '_, M, I> {
    fn put_value<T: Serialize + ?Sized>(
        &mut self,
        key: &[u8],
        value: &T,
        buffer: &mut [u8],
    ) -> Result<(), TypedError<M::Error>> {
        let bytes = postcard::to_slice(value, buffer).map_err(TypedError::Encode)?;
        Ok(self.put(key, bytes)?)
    }
}
