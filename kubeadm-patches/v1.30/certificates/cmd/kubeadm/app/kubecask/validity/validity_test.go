// SPDX-License-Identifier: Apache-2.0

package validity

import (
	"testing"
	"time"
)

func TestPeriods(t *testing.T) {
	old := checkErr
	t.Cleanup(func() { checkErr = old })
	tests := []struct {
		text string
		want time.Duration
		err  string
	}{
		{text: "", want: 867240 * time.Hour},
		{text: "8760h", want: 8760 * time.Hour},
		{text: "1m", want: time.Minute},
		{text: "99y", err: `"99y" is not a period of a minute or more, such as 8760h`},
		{text: "59s", want: 59 * time.Second, err: `"59s" is not a period of a minute or more, such as 8760h`},
		{text: "-1h", want: -time.Hour, err: `"-1h" is not a period of a minute or more, such as 8760h`},
	}
	for _, env := range []string{LeafEnv, CAEnv} {
		for _, test := range tests {
			t.Run(env+test.text, func(t *testing.T) {
				said := ""
				checkErr = func(err error) { said = err.Error() }
				t.Setenv(env, test.text)
				got := CA()
				if env == LeafEnv {
					got = Leaf(nil)
				}
				if got != test.want {
					t.Errorf("got %s", got)
				}
				if test.err != "" {
					test.err = env + ": " + test.err
				}
				if said != test.err {
					t.Errorf("said %q, want %q", said, test.err)
				}
			})
		}
	}
}
