// Package render turns values into text for people: aligned tables that know
// the width of the terminal, short spans of time, colored words.
//
// Everything but [Screen] is a pure function of its arguments, the present
// instant included. Text that comes from outside (descriptions, error messages)
// is cleaned of control characters, so that it cannot move the cursor or break
// a row. What goes into a pipe has neither colors nor cuts.
package render
