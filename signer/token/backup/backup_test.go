package backup

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"
)

// people makes n custodians and their identities.
func people(t testing.TB, n int) (custodians []Custodian, identities []string) {
	t.Helper()
	for i := range n {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		custodians = append(custodians, Custodian{Name: fmt.Sprintf("custodian %d", i+1), Recipient: identity.Recipient().String()})
		identities = append(identities, identity.String())
	}
	return custodians, identities
}

func openAll(t testing.TB, archive Archive, identities []string) [][]byte {
	t.Helper()
	var shares [][]byte
	for i, share := range archive.Shares {
		text, err := OpenShare(share.File, strings.NewReader(identities[i]))
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, text)
	}
	return shares
}

func TestEverySubsetOpensOrDoesNot(t *testing.T) {
	plain := []byte("kura backup 1\nwhatever it holds\n")
	for _, size := range []struct{ n, k int }{{2, 2}, {3, 2}, {5, 3}, {6, 4}} {
		custodians, identities := people(t, size.n)
		archive, err := Seal(plain, custodians, size.k)
		if err != nil {
			t.Fatal(err)
		}
		shares := openAll(t, archive, identities)
		for subset := range 1 << size.n {
			var chosen [][]byte
			for i := range size.n {
				if subset>>i&1 == 1 {
					chosen = append(chosen, shares[i])
				}
			}
			opened, err := Open(archive.Contents, chosen)
			if enough := len(chosen) >= size.k; enough != (err == nil) {
				t.Errorf("%d of %d with %d shares: %v", size.k, size.n, len(chosen), err)
			} else if enough && !bytes.Equal(opened, plain) {
				t.Errorf("%d of %d: other contents", size.k, size.n)
			}
		}
	}
}

// The parts that k-1 custodians of a set hold are random: the same secret split
// twice has nothing in common, and all but one part do not depend on it.
func TestPartsAloneSayNothing(t *testing.T) {
	secret := bytes.Repeat([]byte{0}, 64)
	first, err := split(secret, 3)
	if err != nil {
		t.Fatal(err)
	}
	second, err := split(secret, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		if bytes.Equal(first[i], second[i]) || bytes.Equal(first[i], secret) {
			t.Errorf("part %d is not random", i)
		}
	}
}

func TestAShareAloneIsUseless(t *testing.T) {
	custodians, identities := people(t, 3)
	archive, err := Seal([]byte("secret"), custodians, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenShare(archive.Shares[0].File, strings.NewReader(identities[1])); err == nil {
		t.Error("a custodian opened another's share")
	}
	shares := openAll(t, archive, identities)
	if _, err := Open(archive.Contents, [][]byte{shares[0], shares[0]}); err == nil {
		t.Error("the same share twice counted as two")
	}
}

func TestADamagedShareIsPassedOver(t *testing.T) {
	custodians, identities := people(t, 4)
	archive, err := Seal([]byte("secret"), custodians, 2)
	if err != nil {
		t.Fatal(err)
	}
	shares := openAll(t, archive, identities)
	at := bytes.Index(shares[0], []byte(`"1,2":"`)) + 8
	damaged := bytes.Clone(shares[0])
	if damaged[at] == '0' {
		damaged[at] = '1'
	} else {
		damaged[at] = '0'
	}
	if _, err := Open(archive.Contents, [][]byte{damaged, shares[1]}); err == nil {
		t.Error("opened with a damaged share")
	}
	if opened, err := Open(archive.Contents, [][]byte{damaged, shares[1], shares[2]}); err != nil || string(opened) != "secret" {
		t.Errorf("with enough good shares besides: %q, %v", opened, err)
	}
	other, err := Seal([]byte("other"), custodians, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(archive.Contents, [][]byte{shares[0], openAll(t, other, identities)[1]}); err == nil {
		t.Error("shares of two backups were mixed")
	}
}

// TestOpenSaysWhichSharesAreWrong: whoever stands there with the wrong files is told which.
func TestOpenSaysWhichSharesAreWrong(t *testing.T) {
	custodians, identities := people(t, 3)
	archive, err := Seal([]byte("secret"), custodians, 2)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Seal([]byte("other"), custodians, 2)
	if err != nil {
		t.Fatal(err)
	}
	shares, others := openAll(t, archive, identities), openAll(t, other, identities)
	hostile := bytes.Replace(others[0], []byte("custodian 1"), []byte(`\u001b[31mcustodian`), 1)
	damaged := bytes.Replace(shares[0], []byte(`"1,2":"`), []byte(`"1,2":"00`), 1)
	for _, wrong := range []struct {
		shares [][]byte
		says   string
	}{
		{others[:2], `"custodian 1", "custodian 2" fit together, and open another file: they are of backup "` + other.ID},
		{[][]byte{shares[0], others[0]}, "different backups"},
		{[][]byte{damaged, shares[0], shares[1]}, `two shares of "custodian 1" differ`},
		{[][]byte{hostile, others[1]}, `"\x1b[31mcustodian", "custodian 2" fit`},
		{[][]byte{shares[0], shares[0]}, "2 are needed"},
		{[][]byte{archive.Shares[0].File, shares[1]}, "share 1: it is not a share's JSON: is it still encrypted?"},
	} {
		if _, err := Open(archive.Contents, wrong.shares); err == nil || !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("want %q: %v", wrong.says, err)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	custodians, _ := people(t, 12)
	twice := []Custodian{custodians[0], {Name: "other", Recipient: custodians[0].Recipient}}
	for name, try := range map[string]func() error{
		"a threshold of one":            func() error { _, err := Seal(nil, custodians[:3], 1); return err },
		"a threshold above the number":  func() error { _, err := Seal(nil, custodians[:3], 4); return err },
		"too many combinations":         func() error { _, err := Seal(nil, custodians, 6); return err },
		"one recipient for two people":  func() error { _, err := Seal(nil, twice, 2); return err },
		"a recipient that is not age's": func() error { _, err := Seal(nil, []Custodian{custodians[0], {"x", "ssh"}}, 2); return err },
	} {
		if try() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func FuzzDecodeShare(f *testing.F) {
	f.Add([]byte(`{"format":"kura-share/1","backup":"00","custodian":"a","number":1,"threshold":2,"custodians":3,"parts":{"1,2":"00"}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		share, err := decodeShare(text)
		if err != nil {
			return
		}
		if share.Threshold < 2 || share.Number > share.Custodians {
			t.Errorf("accepted %+v", share)
		}
		_, _ = Open([]byte("not an age file"), [][]byte{text, text})
	})
}
