package dev

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"kura/journal"
	"kura/statement"
)

// directors are the two of three whose approval adopts a policy.
var directors = []string{"alice", "bob"}

// foundingLife is how long the verdicts about policy 1 may take to be used.
const foundingLife = time.Hour

// found holds the genesis ceremony: policy 1, its directors' verdicts, entry 0 and
// entry 1, and the line that everybody then pins.
func (d *deployment) found(ctx context.Context) error {
	first, err := d.writePolicy(nil, nil)
	if err != nil {
		return err
	}
	var verdicts []statement.Envelope
	for _, director := range directors {
		// Policy 1 comes before the journal has a name, so its verdicts name 64 zeros.
		env, err := d.verdict(director, statement.Hash{}, statement.Approve, first.Hash(), first.Hash())
		if err != nil {
			return err
		}
		verdicts = append(verdicts, env)
	}
	var text []byte
	for _, env := range verdicts {
		text = append(append(text, env.Encode()...), '\n')
	}
	file := d.path(policyDir, "policy-1.verdicts.jsonl")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	out, err := d.signer(ctx, "init", "--config", d.path(signerConfig),
		"--policy", d.path(policyDir, "policy-1.json"), "--verdicts", file, "--policy-hash", first.Hash().String())
	if err != nil {
		return err
	}
	genesis, err := genesisIn(out)
	if err != nil {
		return err
	}
	return os.WriteFile(d.path(genesisFile), []byte(genesis.String()+"\n"), 0o644)
}

// genesisIn finds the genesis line in what `kura-signer init` printed: its last line.
func genesisIn(out string) (journal.Genesis, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return journal.ParseGenesis(strings.TrimSpace(lines[len(lines)-1]))
}

// verdict signs a party's verdict about one hash.
func (d *deployment) verdict(party string, journal statement.Hash, kind statement.VerdictKind, about, policy statement.Hash) (statement.Envelope, error) {
	key, err := privateKey(d.home(party))
	if err != nil {
		return statement.Envelope{}, err
	}
	id, expires := born(foundingLife)
	env, err := statement.Sign(key, rand.Reader, &statement.Verdict{
		Journal: journal, ID: id, Expires: expires, Verdict: kind, About: []statement.Hash{about}, Policy: policy,
	})
	if err != nil {
		return env, fmt.Errorf("%s's verdict: %w", party, err)
	}
	return env, nil
}

// born makes an id that is born now, and the end of its life.
func born(life time.Duration) (statement.ID, int64) {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the process instead
	now := time.Now()
	return statement.NewID(now.UnixMilli(), random), now.Add(life).UnixMilli()
}
