// Package source turns a policy as people write it, in YAML with comments, into
// the document that is signed. It is the only package that reads YAML, and the
// signer never links it: what it makes is judged again, as JSON, by everybody.
//
// It takes a small part of YAML on purpose: mappings, lists, plain and quoted
// strings, whole numbers, true and false, comments. Anchors, aliases, merge keys,
// tags, directives, null, several documents and members that stand twice are
// refused; nothing has a default and nothing is guessed from how it looks. Spans
// are written "30m" or "1h30m", amounts "250000 XEM" with the unit of the asset
// that the same rule, limit or wallet is about. A JSON file is taken as well: the
// compiled form, with white space as one likes.
//
// Every mistake comes with line, column, and what would be right.
package source
