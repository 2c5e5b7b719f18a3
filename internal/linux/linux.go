// Package linux is imported by what needs Linux: elsewhere it does not build, and says why in a line, in the place of
// all that is undefined there.
package linux
