package token

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kura/nem"
)

// ErasesArithmetic tells whether this build erases what the arithmetic on a seed
// leaves in registers, on stacks and on the heap.
const ErasesArithmetic = shroudErases

// maxKeyText is the longest text of a private key, with room to notice a longer one.
const maxKeyText = 70

// ReadPrivateKeyFD reads one line from an open descriptor, a private key as the
// chain's tools print it, and gives its seed in locked memory. It closes the
// descriptor. The caller wipes the seed.
func ReadPrivateKeyFD(chain nem.Chain, fd int) (*Secret, error) {
	if fd < 0 {
		return nil, fmt.Errorf("read private key: descriptor %d is negative", fd)
	}
	defer func() { _ = unix.Close(fd) }() // it was only read
	text, err := NewSecret(maxKeyText)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	length, err := readLine(fd, text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	if length == 0 {
		return nil, errors.New("read private key: there is none")
	}
	text.size = length
	return ParsePrivateKey(chain, text)
}

// ParsePrivateKey reads a private key's text from locked memory by the rules of
// nem.ParsePrivateKeyText and gives its seed in locked memory. No error repeats
// the text.
func ParsePrivateKey(chain nem.Chain, text *Secret) (*Secret, error) {
	seed, err := NewSecret(seedSize)
	if err != nil {
		return nil, err
	}
	shroud(func() {
		var parsed [seedSize]byte
		parsed, err = nem.ParsePrivateKeyText(chain, lockedString(text.Bytes()))
		copy(seed.Bytes(), parsed[:])
		clear(parsed[:])
	})
	if err != nil {
		seed.Wipe()
		return nil, err
	}
	return seed, nil
}
