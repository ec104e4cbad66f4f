package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"kura/journal"
	"kura/signer/rpc"
)

// Handovers returns the proofs of the log key's handovers that the client has seen, in their order. Whoever keeps
// checkpoints keeps them, too, and gives them to the next client (Config): so nobody can show it the history of an old
// key's thief.
func (c *Client) Handovers() journal.Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chain
}

// logKeys returns which log key signs which head, as far as is known.
func (c *Client) logKeys() journal.LogKeys {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys
}

// learn takes note of a chain. One that disagrees with what is known is a *Contradiction.
func (c *Client) learn(chain journal.Chain) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys, err := c.keys.Learn(chain)
	if err != nil {
		return &Contradiction{err}
	}
	if len(keys.Handovers()) > len(c.keys.Handovers()) {
		c.keys, c.chain = keys, chain
	}
	return nil
}

// open opens a checkpoint under the log key of its size, about whose handover the server is asked if need be. The
// error is a *Contradiction when it does not open.
func (c *Client) open(ctx context.Context, checkpoint journal.Checkpoint) (journal.Head, error) {
	head, err := c.logKeys().Open(checkpoint)
	if errors.Is(err, journal.ErrOtherKey) {
		if err := c.askLogKeys(ctx); err != nil {
			return journal.Head{}, err
		}
		head, err = c.logKeys().Open(checkpoint)
	}
	if err != nil {
		return journal.Head{}, &Contradiction{err}
	}
	return head, nil
}

// askLogKeys has the server prove which log keys followed the pinned one.
func (c *Client) askLogKeys(ctx context.Context) error {
	var told rpc.LogKeys
	if err := c.read(ctx, "/v1/log/keys", &told, http.StatusOK); err != nil {
		return fmt.Errorf("the log key was handed over, and the proof of it: %w", err)
	}
	chain, err := chainOf(told.Handovers)
	if err != nil {
		return &Contradiction{err}
	}
	return c.learn(chain)
}

func chainOf(told []rpc.Handover) (journal.Chain, error) {
	var chain journal.Chain
	for _, h := range told {
		r, err := receiptOf(rpc.Receipt{Entry: h.Entry, Index: h.Index, Proof: h.Proof, Checkpoint: h.Checkpoint})
		if err != nil {
			return nil, err
		}
		chain = append(chain, r)
	}
	return chain, nil
}
