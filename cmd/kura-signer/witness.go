package main

import (
	"fmt"
	"path/filepath"

	"kura/journal/anchorfile"
	"kura/journal/cosign"
	"kura/signer"
)

// cosignedFile, in the state directory, keeps the newest head that a quorum of witnesses cosigned. Like the anchor file
// it is never backed up.
const cosignedFile = "cosigned"

// witnesses reads the witnesses' key lines and holds the quorum to them.
func (c *Config) witnesses() (signer.Witnesses, error) {
	w := signer.Witnesses{Quorum: c.WitnessQuorum, BeforeRelease: c.CosignBeforeRelease}
	for _, line := range c.Witnesses {
		key, err := cosign.ParseKey(line)
		if err != nil {
			return signer.Witnesses{}, fmt.Errorf("%q: %w", line, err)
		}
		w.Keys = append(w.Keys, key)
	}
	w.Newest = anchorfile.New(filepath.Join(c.StateDir, cosignedFile))
	return w, w.Check()
}
