package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
)

// madeUp is the root of the heads in these tests: the ledger takes it as it comes.
var madeUp = journal.Hash{7}

func snapshotOf(tb ledgertest.TB, s *ledger.State) []byte {
	var b bytes.Buffer
	if err := s.Snapshot(&b, journal.Head{Size: s.Next(), Root: madeUp}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func restore(tb ledgertest.TB, snapshot []byte) *ledger.State {
	s, head, err := ledger.RestoreSnapshot(bytes.NewReader(snapshot))
	if err != nil {
		tb.Fatal(err)
	}
	if want := (journal.Head{Size: s.Next(), Root: madeUp}); head != want {
		tb.Fatalf("head %v, want %v", head, want)
	}
	return s
}

// judgeAgain takes the inputs back out of entries, has the state judge them, and demands the same entries.
func judgeAgain(tb ledgertest.TB, s *ledger.State, entries []journal.Entry) {
	for len(entries) > 0 {
		e := entries[0]
		in, err := ledger.InputOf(e)
		if err != nil {
			tb.Fatal(err)
		}
		drafts, _, err := ledger.Judge(s, in, policy.Now{Clock: e.Clock, Time: e.Time})
		if err != nil || len(drafts) == 0 || len(drafts) > len(entries) {
			tb.Fatalf("entry %d: the restored state makes %d entries of what it begins with: %v", e.Seq, len(drafts), err)
		}
		for i, d := range drafts {
			if d.Kind != entries[i].Kind || !bytes.Equal(d.Body, entries[i].Body) {
				tb.Fatalf("entry %d: the restored state decides %s %s", entries[i].Seq, d.Kind, d.Body)
			}
			if err := s.Apply(entries[i]); err != nil {
				tb.Fatal(err)
			}
		}
		entries = entries[len(drafts):]
	}
}

// TestRestoredStateDecidesAlike plays at random, restores a snapshot, plays on with the state itself, and has
// the restored one judge the same inputs.
func TestRestoredStateDecidesAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(m.actions())
		before := m.State.Hash()
		twin := restore(t, snapshotOf(t, m.State))
		if twin.Hash() != before {
			t.Fatal("the restored state has another hash")
		}
		if diff := ledger.DiffStates(m.State, twin); diff != "" {
			t.Fatalf("the restored state differs where Hash does not look:\n%s", diff)
		}
		from := len(m.Entries)
		t.Repeat(m.actions())
		judgeAgain(t, twin, m.Entries[from:])
		if twin.Hash() != m.State.Hash() {
			t.Fatal("after the same inputs the restored state is another one")
		}
		if diff := ledger.DiffStates(m.State, twin); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestSnapshotAnywhere restores a snapshot after every entry of a journal in which something of everything
// happens, in the middle of inputs too, and folds on from some of them.
func TestSnapshotAnywhere(t *testing.T) {
	entries := storyEntries(t)
	live := ledger.NewState()
	var twins []*ledger.State
	for i, e := range entries {
		if err := live.Apply(e); err != nil {
			t.Fatal(err)
		}
		if live.PolicyInForce() == nil {
			continue
		}
		twin := restore(t, snapshotOf(t, live))
		if diff := ledger.DiffStates(live, twin); diff != "" {
			t.Fatalf("after entry %d (%s): %s", e.Seq, e.Kind, diff)
		}
		if i%7 == 0 {
			twins = append(twins, twin)
		}
	}
	for _, twin := range twins {
		from := twin.Next()
		for _, next := range entries[from:] {
			if err := twin.Apply(next); err != nil {
				t.Fatalf("from entry %d on: %v", from, err)
			}
		}
		if twin.Hash() != live.Hash() {
			t.Fatalf("from entry %d on the fold leads elsewhere", from)
		}
	}
}

// richSnapshot is a snapshot of a state that holds something of everything.
func richSnapshot(tb ledgertest.TB) []byte {
	return snapshotOf(tb, rotatedStory(tb).State)
}

// statesByEngine are the hashes of rotatedStory's state under each engine.
var statesByEngine = map[int]string{
	1: "40a64e4ab6c0ab9d67354993b2256afcdd54928399228cff7df343a183bdde5e",
}

// TestEngineNumbersTheRules: whoever changes what is judged, folded or kept finds it here. A snapshot of the former
// rules must not be taken for one of these: Engine goes up, and the new state's hash is written down beside it. (Only a
// change of the story itself, or one before anything was released, replaces a hash.)
func TestEngineNumbersTheRules(t *testing.T) {
	if got, want := rotatedStory(t).State.Hash().String(), statesByEngine[ledger.Engine]; got != want {
		t.Errorf("the story leads to state %s under engine %d, recorded is %q", got, ledger.Engine, want)
	}
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	good := richSnapshot(t)
	refused := func(what string, b []byte) {
		t.Helper()
		s, _, err := ledger.RestoreSnapshot(bytes.NewReader(b))
		if err == nil || s != nil || !errors.Is(err, ledger.ErrSnapshot) && !errors.Is(err, ledger.ErrOtherEngine) {
			t.Errorf("%s: %v", what, err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	step := max(1, len(good)/2000)
	if os.Getenv("KURA_CAMPAIGN") != "" {
		step = 1
	}
	for at := 0; at < len(good); at += step {
		bad := bytes.Clone(good)
		bad[at] ^= byte(1 + random.IntN(255))
		refused(fmt.Sprint("byte ", at, " changed to ", bad[at]), bad)
	}
	for at := 0; at < len(good); at += max(1, len(good)/500) {
		refused(fmt.Sprint("cut at ", at), good[:at])
	}
	refused("a byte too much", append(bytes.Clone(good), 0))
	refused("twice", append(bytes.Clone(good), good...))
	line := bytes.IndexByte(good, '\n') + 1
	refused("a number in a longer form", slices.Concat(good[:line], []byte{good[line] | 0x80, 0}, good[line+1:]))
}

// reseal gives changed content the hash and checksum that belong to it: what somebody does who can write.
func reseal(line string, body []byte) []byte {
	hash := sha256.Sum256(body)
	sum := sha256.Sum256(append([]byte(line), hash[:]...))
	return append(append(append([]byte(line), body...), hash[:]...), sum[:]...)
}

func TestSnapshotOfSomethingElse(t *testing.T) {
	good := richSnapshot(t)
	line, rest, _ := strings.Cut(string(good), "\n")
	body := []byte(rest[:len(rest)-2*sha256.Size])
	if again := reseal(line+"\n", body); !bytes.Equal(again, good) {
		t.Fatal("the test cuts snapshots in another place than they are cut")
	}
	for _, c := range []struct {
		name, old, new string
		want           error
	}{
		{"newer encoding", "kura-snapshot/1 ", "kura-snapshot/2 ", ledger.ErrOtherEngine},
		{"another engine", fmt.Sprintf(`"engine":%d`, ledger.Engine), fmt.Sprintf(`"engine":%d`, ledger.Engine+1), ledger.ErrOtherEngine},
		{"older engine", fmt.Sprintf(`"engine":%d`, ledger.Engine), `"engine":0`, ledger.ErrOtherEngine},
		{"another genesis", `"genesis":"`, `"genesis":"` + strings.Repeat("0", 64) + `","x":"`, ledger.ErrSnapshot},
		{"another size", `"size":`, `"size":1`, ledger.ErrSnapshot},
		{"member missing", `"root":`, `"toor":`, ledger.ErrSnapshot},
		{"white space", `{"engine`, `{ "engine`, ledger.ErrSnapshot},
	} {
		changed := strings.Replace(line, c.old, c.new, 1)
		if changed == line {
			t.Fatalf("%s: nothing changed in %s", c.name, line)
		}
		if _, _, err := ledger.RestoreSnapshot(bytes.NewReader(reseal(changed+"\n", body))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// Another root is not the ledger's to judge, but it is handed on.
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32))
	changed := strings.Replace(line, base64.StdEncoding.EncodeToString(madeUp[:]), other, 1)
	if _, head, err := ledger.RestoreSnapshot(bytes.NewReader(reseal(changed+"\n", body))); err != nil || head.Root != journal.Hash(bytes.Repeat([]byte{9}, 32)) {
		t.Errorf("%v %v", head, err)
	}
}

// TestResealedSnapshot changes bytes and then hash and checksum to match: what is accepted must be exactly a
// state that writes those very bytes, and nothing may break.
func TestResealedSnapshot(t *testing.T) {
	good := richSnapshot(t)
	line, rest, _ := strings.Cut(string(good), "\n")
	body := []byte(rest[:len(rest)-2*sha256.Size])
	random := rand.New(rand.NewPCG(3, 4))
	taken := 0
	for range 2000 {
		bad := bytes.Clone(body)
		bad[random.IntN(len(bad))] ^= byte(1 + random.IntN(255))
		b := reseal(line+"\n", bad)
		s, _, err := ledger.RestoreSnapshot(bytes.NewReader(b))
		if err != nil {
			continue
		}
		taken++
		if again := snapshotOf(t, s); !bytes.Equal(again, b) {
			t.Fatal("a snapshot was taken that the state it gives would not write")
		}
	}
	t.Logf("%d of 2000 are snapshots of another state", taken)
}

func FuzzRestoreSnapshot(f *testing.F) {
	good := richSnapshot(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("kura-snapshot/1 {}\n"))
	line, rest, _ := strings.Cut(string(good), "\n")
	f.Add([]byte(rest[:len(rest)-2*sha256.Size]))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range [][]byte{b, reseal(line+"\n", b)} {
			s, head, err := ledger.RestoreSnapshot(bytes.NewReader(in))
			if err != nil {
				continue
			}
			var again bytes.Buffer
			if err := s.Snapshot(&again, head); err != nil || !bytes.Equal(again.Bytes(), in) {
				t.Fatalf("taken, but written in another form: %v", err)
			}
		}
	})
}

// TestEveryFieldIsWritten knows every field that a state is made of. Whoever adds one finds it here: it goes
// into State.encode and decodeState, into docs/journal.md ("Snapshots"), and Engine or the snapshot's number
// goes up; or it follows from others, and that is said here.
func TestEveryFieldIsWritten(t *testing.T) {
	want := []string{
		"ledger.State next clock time genesis journal line policy book overlay usage spent former memory recent held looked unsigned proposals freezes stopsEnd wallets clients parties alarms gaps keys(their genesis is in entry 0) pending names(only shares texts)",
		"ledger.timeline bootID boot base credit proven",
		"ledger.memory ids hashes(by the records) floor due heirs(by the requests)",
		"ledger.dueItem at seq(of the record) r",
		"ledger.recentBytes seen(by the requests) order(by the requests) floor",
		"ledger.recentItem hash(of the request's bytes) request",
		"ledger.Request Record Wallet Destination Since ReasonsSeq SignatureSeq Transaction Replaces adopted Key Withdrawal Waits Verdicts wakeAt ready",
		"ledger.Proposal Record Body Since Verdicts AdoptedAt Effective Evacuation adopted ready",
		"ledger.Freeze Record Body Wallet Lifts ready",
		"ledger.verdict Record body key",
		"ledger.Record ID Hash Type By Expires State Code Policy StatementSeq OutcomeSeq",
		"ledger.Transaction Network Unsigned Fee Deadline Signature Hash",
		"ledger.WalletRecord Wallet State Seq",
		"ledger.AlarmRecord Alarm Seq Time",
		"ledger.GapRecord Seq Clock Time Latest Kept Lost Between Until By",
		"journal.Handover Seq Old New",
		"ledger.clientRecord since entries pending refused suspicious trips",
		"ledger.partyRecord since entries",
		"policy.Usage policy events last limits(from policy and events) keys(the same) wallets clients assets full",
		"policy.Overlay stops",
		"policy.Stop Hash Action Kind Name Amount By At Until Person",
		"policy.Book byName byAddress size hash",
		"policy.Verdict By Key Kind Policy At Hash",
		"policy.Wait Kind For Alternative Group Have Need Who Until",
		"policy.Actor Kind ID",
	}
	var have []string
	for _, v := range ledger.StateTypes {
		kind := reflect.TypeOf(v)
		line := kind.String()
		for i := range kind.NumField() {
			line += " " + kind.Field(i).Name
		}
		have = append(have, line)
	}
	for i := range want {
		for strings.Contains(want[i], "(") {
			open, end := strings.Index(want[i], "("), strings.Index(want[i], ")")
			want[i] = want[i][:open] + want[i][end+1:]
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

// TestSnapshotOfManyEntries restores a snapshot of a journal of KURA_FOLD_ENTRIES entries (by default few) and
// says how long everything took.
func TestSnapshotOfManyEntries(t *testing.T) {
	n := 2000
	if s := os.Getenv("KURA_FOLD_ENTRIES"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	w := manyPayments(t, n)
	var stages []string
	stage := func(name string, do func()) {
		start := time.Now()
		do()
		stages = append(stages, fmt.Sprint(name, " ", time.Since(start).Round(time.Millisecond)))
	}
	var b []byte
	var twin *ledger.State
	want := w.State.Hash()
	stage("hash", func() { want = w.State.Hash() })
	stage("write", func() { b = snapshotOf(t, w.State) })
	stage("restore", func() { twin = restore(t, b) })
	if twin.Hash() != want {
		t.Error("the restored state is another one")
	}
	w, twin = nil, nil
	runtime.GC()
	t.Logf("%d entries, snapshot of %d KB: %s", n, len(b)>>10, strings.Join(stages, ", "))
}

// TestSnapshotOfRareStates restores what random journals hardly come to: a suspension that ends by itself, and the
// windows of a successor, which count as full.
func TestSnapshotOfRareStates(t *testing.T) {
	suspended := ledgertest.New(t)
	x := suspended.Wallets[0]
	for range 3 {
		b := suspended.Withdrawal(x, ledgertest.Small)
		b.WalletAddress = x.Stranger.String()
		suspended.Submit("shop", b)
	}
	if _, stopped := suspended.State.Overlay().ClientStopped("shop", suspended.State.Last().Time); !stopped {
		t.Fatal("the tripwire did not suspend the client")
	}
	successor := inService(t, succeed(t, unchanged))
	for name, w := range map[string]*ledgertest.World{"suspended": suspended, "successor": successor} {
		twin := restore(t, snapshotOf(t, w.State))
		if diff := ledger.DiffStates(w.State, twin); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		from := len(w.Entries)
		w.Advance(13 * ledgertest.Hour)
		w.Ticks()
		w.Submit("shop", w.Withdrawal(x, ledgertest.Small))
		judgeAgain(t, twin, w.Entries[from:])
		if twin.Hash() != w.State.Hash() {
			t.Errorf("%s: the restored state goes on differently", name)
		}
	}
}
