//! Little-endian fields of alignment 1.
//!
//! A wire structure built of these has no padding and no alignment, so it can be read in place from any byte of a
//! receive buffer, on any machine, with `bytemuck`.

use bytemuck::{Pod, Zeroable};

macro_rules! little_endian {
    ($($(#[$doc:meta])* $name:ident($native:ty, $bytes:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
        #[repr(transparent)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The value in the machine's own byte order.
            pub const fn value(self) -> $native {
                <$native>::from_le_bytes(self.0)
            }
        }

        impl From<$native> for $name {
            fn from(value: $native) -> Self {
                Self(value.to_le_bytes())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.value(), formatter)
            }
        }
    )*};
}

little_endian! {
    /// An unsigned 16-bit field.
    U16(u16, 2);
    /// An unsigned 32-bit field.
    U32(u32, 4);
    /// A signed 32-bit field.
    I32(i32, 4);
    /// An unsigned 64-bit field.
    U64(u64, 8);
    /// A signed 64-bit field.
    I64(i64, 8);
    /// An IEEE 754 binary64 field.
    F64(f64, 8);
}

/// Splits a `T` off the front of `bytes` without copying; `None` when too few bytes are left.
pub fn split<T: Pod>(bytes: &[u8]) -> Option<(&T, &[u8])> {
    const { assert!(align_of::<T>() == 1) };
    let (head, rest) = bytes.split_at_checked(size_of::<T>())?;
    Some((bytemuck::from_bytes(head), rest))
}
