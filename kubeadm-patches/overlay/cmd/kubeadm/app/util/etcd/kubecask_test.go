// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"testing"

	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
)

// One slow answer of etcd, which gets two seconds, is not the end of a join.
func TestListMembersAsksAgain(t *testing.T) {
	calls, slow := 0, errors.New("context deadline exceeded")
	c := &Client{newEtcdClient: func([]string) (etcdClient, error) {
		calls++
		return nil, slow
	}}
	_, err := c.listMembers(3 * constants.EtcdAPICallRetryInterval)
	if !errors.Is(err, slow) || calls < 2 {
		t.Errorf("asked %d times, then %v", calls, err)
	}
}
