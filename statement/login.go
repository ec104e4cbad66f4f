package statement

// Login opens a session for reading: whoever then shows the secret with this
// hash reads as the one who signed.
type Login struct {
	Journal Hash
	ID      ID
	Expires int64 // unix milliseconds

	SecretHash Hash
}

// Type returns TypeLogin.
func (l *Login) Type() Type { return TypeLogin }

// Common returns what every statement says.
func (l *Login) Common() Common { return Common{l.Journal, l.ID, l.Expires} }

func (l *Login) members() object {
	return common(TypeLogin, &l.Journal, &l.ID, &l.Expires,
		member{"secretHash", &text[Hash]{&l.SecretHash, ParseHash, Hash.String}},
	)
}

func (l *Login) check() error { return nil }
