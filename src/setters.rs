//! Builder methods that set one field.

/// `name(argument: Type) => value;` becomes a method that sets the field `name` and returns the whole.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty)?) => $value:expr;)*) => {
        $($(#[$doc])*
        pub fn $name(mut self $(, $argument: $type)?) -> Self {
            self.$name = $value;
            self
        })*
    };
}
