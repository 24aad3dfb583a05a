//! Methods that set one field each.
//!
//! The same file in each codec, as `connection::transmit` is, and for its reason.

/// For each row a method that sets the field of its argument's name, to what follows `=` if
/// that is not the argument itself.
macro_rules! setters {
    ($name:ident $(<$a:lifetime>)? { $(
        $(#[$doc:meta])*
        $with:ident($field:ident: $type:ty) $(= $value:expr)?;
    )* }) => {
        impl $(<$a>)? $name $(<$a>)? { $(
            #[doc = concat!("Sets `", stringify!($field), "`.")]
            $(#[$doc])*
            #[must_use]
            pub fn $with(mut self, $field: $type) -> Self {
                self.$field = setters!(@ $field $($value)?);
                self
            }
        )* }
    };
    (@ $field:ident) => { $field };
    (@ $field:ident $value:expr) => { $value };
}
pub(crate) use setters;
