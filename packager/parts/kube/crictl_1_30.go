// SPDX-License-Identifier: Apache-2.0

//go:build kube_v1_30

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// kubeadm asks the container runtime itself from 1.31 on; before, it calls crictl. This is the part of
// crictl that it calls: info, pods -q, stopp, rmp, pull and inspecti.
func init() {
	ofThisMinor["crictl"] = func() {
		if err := crictl(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "crictl: %v\n", err)
			os.Exit(1)
		}
	}
}

const criTimeout = 3 * time.Minute // a pod gets its time to end

type cri struct {
	ctx     context.Context
	runtime runtimeapi.RuntimeServiceClient
	images  runtimeapi.ImageServiceClient
}

func crictl(args []string) error {
	flags := pflag.NewFlagSet("crictl", pflag.ContinueOnError)
	endpoint := flags.StringP("runtime-endpoint", "r", "unix:///run/containerd/containerd.sock", "")
	flags.StringP("image-endpoint", "i", "", "")
	flags.BoolP("debug", "D", false, "")
	flags.BoolP("quiet", "q", false, "")
	output := flags.StringP("output", "o", "", "")
	flags.String("template", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), criTimeout)
	defer cancel()
	conn, err := grpc.Dial(*endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	c := &cri{ctx, runtimeapi.NewRuntimeServiceClient(conn), runtimeapi.NewImageServiceClient(conn)}
	words := flags.Args()
	switch {
	case len(words) == 1 && words[0] == "info":
		return c.info(*output == "go-template")
	case len(words) == 1 && words[0] == "pods":
		return c.pods()
	case len(words) == 2:
		return c.one(words[0], words[1])
	}
	return fmt.Errorf("%q: only what kubeadm calls is here: info, pods -q, stopp, rmp, pull, inspecti", strings.Join(words, " "))
}

// info tells that the runtime answers, or which image it starts pods from.
func (c *cri) info(sandboxImage bool) error {
	status, err := c.runtime.Status(c.ctx, &runtimeapi.StatusRequest{Verbose: sandboxImage})
	if err != nil || !sandboxImage {
		return err
	}
	var config struct {
		SandboxImage string `json:"sandboxImage"`
		PinnedImages struct {
			Sandbox string `json:"sandbox"`
		} `json:"pinnedImages"`
	}
	if err := json.Unmarshal([]byte(status.Info["config"]), &config); err != nil {
		return err
	}
	switch {
	case config.SandboxImage != "":
		fmt.Println(config.SandboxImage)
	case config.PinnedImages.Sandbox != "":
		fmt.Println(config.PinnedImages.Sandbox)
	default:
		return errors.New("the runtime does not tell its sandbox image")
	}
	return nil
}

func (c *cri) pods() error {
	list, err := c.runtime.ListPodSandbox(c.ctx, &runtimeapi.ListPodSandboxRequest{})
	if err != nil {
		return err
	}
	for _, pod := range list.Items {
		fmt.Println(pod.Id)
	}
	return nil
}

func (c *cri) one(verb, name string) error {
	image := &runtimeapi.ImageSpec{Image: name}
	switch verb {
	case "stopp":
		_, err := c.runtime.StopPodSandbox(c.ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: name})
		return err
	case "rmp":
		_, err := c.runtime.RemovePodSandbox(c.ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: name})
		return err
	case "pull":
		_, err := c.images.PullImage(c.ctx, &runtimeapi.PullImageRequest{Image: image})
		return err
	case "inspecti":
		status, err := c.images.ImageStatus(c.ctx, &runtimeapi.ImageStatusRequest{Image: image})
		if err == nil && status.Image == nil {
			err = fmt.Errorf("no such image %q", name)
		}
		return err
	}
	return fmt.Errorf("%q is not one of the commands that kubeadm calls", verb)
}
