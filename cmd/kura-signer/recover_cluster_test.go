package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/journal/gap"
	"kura/journal/postgres/pgtest"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// stopNode ends a node as systemd does.
func (c *cluster) stopNode(n *node) {
	c.TB.Helper()
	if err := n.process.Process.Signal(os.Interrupt); err != nil {
		c.TB.Fatal(err)
	}
	<-n.ended
}

// untilFree waits until PostgreSQL has noticed that nobody leads any more: a ceremony has little patience for a lease that
// somebody holds.
func (c *cluster) untilFree(t *testing.T) {
	t.Helper()
	pgtest.Until(t, c.db.Owner, "select not exists (select from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted and usename = '"+c.db.Role+"')")
}

// forget takes the heads above a size away from PostgreSQL, as a replica has it that missed the last groups.
func (c *cluster) forget(t *testing.T, size uint64) {
	t.Helper()
	pgtest.Exec(t, c.db.Owner,
		"alter table heads disable trigger heads_insert_only",
		fmt.Sprintf("delete from heads where size > %d", size),
		"alter table heads enable trigger heads_insert_only")
}

// TestClusterLosesItsTail has two signers, each of whom led, go on after a failover to a replica that missed the last
// groups: their anchors and both witnesses hold heads that PostgreSQL does not lead to any more.
func TestClusterLosesItsTail(t *testing.T) {
	c := newCluster(t)
	ctx := t.Context()
	pay := func(n *node) statement.Envelope {
		t.Helper()
		sent := c.Sign("shop", c.Withdrawal(c.wallets[signertest.XYM], signertest.Small))
		if a, err := n.gateway.Submit(ctx, sent.Encode(), signertest.LongWait); err != nil || a.State != rpc.StateSigned {
			t.Fatalf("%s, %v", a.State, err)
		}
		return sent
	}
	first, second := c.nodes[0], c.nodes[1]
	c.startNode(first)
	c.waitLeader(ctx, second)
	c.wallets = c.Equip(ctx, first.gateway, func(w rpc.NewWallet) (rpc.Ceremony, error) { return first.admin.CreateWallet(ctx, w) })
	c.shareWallets(first)
	pay(first)
	var kept uint64
	c.Until("the first signer says how long the journal is", func() bool { kept = first.ready(ctx).Size; return kept > 0 })
	lost := []statement.Envelope{pay(first)}
	c.stopNode(first)
	c.untilFree(t)
	if said := c.must("recover-tail", "--config", second.config); !strings.Contains(said, "nothing is lost") {
		t.Errorf("a host that never led, whose anchors are empty: %s", said)
	}
	c.startNode(second)
	c.waitLeader(ctx, first)
	lost = append(lost, pay(second))
	c.stopNode(second)
	c.forget(t, kept)

	for _, n := range []*node{first, second} {
		c.startNode(n)
		<-n.ended
		if !strings.Contains(n.log.String(), "journal rolled back") {
			t.Fatalf("a signer on the replica:\n%s", n.log)
		}
	}
	quorum, question := c.decide(t, first, second)
	c.untilFree(t)
	c.must("recover-tail", "--config", first.config, "--gap", question, "--verdicts", quorum)

	// The witnesses are not asked by the signer: they refuse until those who run them have accepted the gap.
	c.startNode(first)
	var gaps rpc.Gaps
	c.Until("the gap is shown although nobody cosigned it", func() bool {
		var err error
		gaps, err = first.gateway.Gaps(ctx)
		return err == nil && len(gaps.Gaps) == 1
	})
	c.Until("the signer says whom it waits for", func() bool {
		return slices.ContainsFunc(first.ready(ctx).Witnesses, func(w rpc.Witness) bool { return strings.Contains(w.Trouble, "kura witness gap") })
	})
	if first.ready(ctx).Ready {
		t.Fatal("the signer signs although its witnesses have cosigned another history")
	}
	var receipt journal.Receipt
	text, err := json.Marshal(gaps.Gaps[0])
	if err == nil {
		err = json.Unmarshal(text, &receipt)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.witnesses {
		offer, err := w.ReadGap(receipt)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AcceptGap(offer); err != nil {
			t.Fatal(err)
		}
	}
	c.waitLeader(ctx, second)
	c.refusesLost(t, first, lost)

	// The other signer's anchor holds the newest lost head: it has judged the gap that names it, follows, and takes over.
	c.startNode(second)
	c.Until("the second signer stands by", func() bool {
		select {
		case <-second.ended:
			t.Fatalf("the second signer ended:\n%s", second.log)
		default:
		}
		r := second.ready(ctx)
		return r.Role == "standby" && r.Size > 0
	})
	c.stopNode(first)
	c.waitLeader(ctx, first)
	c.refusesLost(t, second, lost)
}

// refusesLost asks for payments of the lost entries again.
func (c *cluster) refusesLost(t *testing.T, n *node, lost []statement.Envelope) {
	t.Helper()
	for _, sent := range lost {
		_, err := n.gateway.Submit(t.Context(), sent.Encode(), signertest.LongWait)
		if p, ok := errors.AsType[*rpc.Problem](err); !ok || p.Code != ledger.CodeBornBeforeGap {
			t.Errorf("a payment of the lost entries: %v", err)
		}
	}
}

// decide gathers every head that is known anywhere and has two directors answer.
func (c *cluster) decide(t *testing.T, asks, other *node) (verdicts, question string) {
	t.Helper()
	elsewhere := filepath.Join(c.dir, "question-of-the-other")
	c.untilFree(t)
	c.must("recover-tail", "--config", other.config, "--out", elsewhere)
	heads := []string{"--head", elsewhere}
	for i, server := range c.servers {
		answer, err := http.Get(server.URL + "/checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, "--head", save(t, c.dir, fmt.Sprint("witness-", i), text))
	}
	question = filepath.Join(c.dir, "question")
	c.untilFree(t)
	shown := c.must(append([]string{"recover-tail", "--config", asks.config, "--out", question}, heads...)...)
	if strings.Count(shown, "held by") < 2 {
		t.Errorf("it does not show the heads of both signers:\n%s", shown)
	}
	_, g, err := gap.ParseQuestion(c.genesis.Keys(), readAll(t, question))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, who := range []string{"alice", "bob"} {
		lines = append(lines, string(c.Sign(who, c.Verdict(statement.Approve, g.About(c.genesis.Origin))).Encode()))
	}
	return save(t, c.dir, "verdicts-gap", []byte(strings.Join(lines, "\n")+"\n")), question
}
