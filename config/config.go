// Package config reads a TOML file into a struct of your own, and tells every mistake in it with its place.
//
// [Load] is all that most programs need. When something is wrong it tells all of that at once, each mistake with
// its line and column and, where that can be guessed, with what was meant; the struct is left as it was. What a
// running daemon can take on of another file is told by [Differ]; [Keys] lists every key for a manual, and [Dump]
// writes what was understood. Whoever wants to know more, such as where a value stands that is wrong for reasons of
// his own, uses a [Document].
//
// Each field with a toml tag is one key. What is known about the key is said there and nowhere else:
//
//	toml      its name; ",key" marks the field that takes the name of the table itself, and "NAME,include" the
//	          key, at the top, that lists more files to read
//	default   its value when it is not set; a list or a map has none, and is empty then, a pointer is nil
//	is        what the value must be: the words that are allowed, "/" for an absolute path,
//	          "positive" for a duration above zero, "1..9" or "1.." for the numbers that are allowed;
//	          "required" when there is no default to fall back on
//	reload    "no" when a running daemon cannot change it
//	aka       what it is called elsewhere, and may be called here by mistake
//	doc       its line in the table of keys
//
// A field may be a string, a boolean, a number, a [time.Duration], anything that has [encoding.TextUnmarshaler], a
// pointer to or a list of those, or a map of strings. A struct is a table, [NAME]; a pointer to one is nil when the
// table is not there, and what is said of its keys holds when it is. A list of structs is a list of tables, [[NAME]],
// or, if the struct has a field for its name, tables that are written [NAME.OTHER] and sorted by that. See [Decoder]
// and [Validator] for more.
//
// The keys of an embedded struct are the table's own. If it is a pointer, all tables in which those keys are alike
// share one value, because there may be thousands: do not change it. A field called _, of a type [0]T, is a key that
// goes into other fields, which is the matter of a Validator; so is the key of files to read. Those hold named tables,
// and more names of files, but no other keys: what the daemon itself is stands in one file. A pattern such as
// "conf.d/*.toml" may match nothing, and passes over what editors and package managers put aside.
package config
