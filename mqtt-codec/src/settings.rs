//! Settings that are a table: a field, how it is set, and its default stand in one place.

/// Defines a struct of settings with the constant `DEFAULT`, the same as its `Default`, and for
/// each field a method that sets it.
macro_rules! settings {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {$(
            $(#[$field_doc:meta])*
            pub $field:ident, $with:ident: $type:ty = $default:expr;
        )*}
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl $name {
            /// The settings of [`Default`], as a constant.
            pub const DEFAULT: Self = Self { $( $field: $default, )* };

            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub const fn $with(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::DEFAULT
            }
        }
    };
}
pub(crate) use settings;
