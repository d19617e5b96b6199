#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg train against PyTorch: the same weights, samples and learning rates give the same updates
# and losses.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
python=$(command -v /usr/bin/python3 || command -v python3)
if ! "$python" -c 'from importlib.util import find_spec as f
exit(not (f("torch") and f("h5py") and f("numpy")))' 2>/dev/null; then
    skip 'PyTorch trains the same' 'no python3 with torch and h5py'
    done_testing
    exit
fi
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
oracle() { "$python" "$root/tests/oracle/train.py" "$@"; }
expect 'PyTorch writes samples' 0 - oracle data .

# Every optimizer, in double precision: what differs is rounding to float32 in the checkpoints.
small='mlp(64,16,10,act=tanh,norm=layer,seed=4)'
updates() { # SPEC TORCH CHECK [OPTION...]
    spec=$1 peer=$2 check=$3 && shift 3
    expect "$spec $*" 0 - thalweg train "$small" -d samples.npz --validation none --batch full \
        --double --schedule linear:peak=0.05,total=5 --optimizer "$spec" --checkpoint every=1 \
        --log-every 1 -q -o "run$count.h5" "$@"
    echo "run$((count - 1)).h5|samples.npz|torch.optim.$peer;Mlp(64, 16, 10, act='tanh', norm='layer')|--double --weights=1e-6 --loss=1e-6 $check" >>cases
}
updates 'sgd(wd=0.1)' 'SGD(p, lr=1, weight_decay=0.1)' ''
updates 'momentum(mu=0.8,dampening=0.3,wd=0.01)' \
    'SGD(p, lr=1, momentum=0.8, dampening=0.3, weight_decay=0.01)' ''
updates 'nesterov(mu=0.8,wd=0.01)' 'SGD(p, lr=1, momentum=0.8, nesterov=True, weight_decay=0.01)' ''
updates 'adam(wd=0.1)' 'Adam(p, weight_decay=0.1)' ''
updates 'adamw(beta1=0.8,beta2=0.95,eps=1e-6,wd=0.2)' \
    'AdamW(p, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.2)' ''
updates sgd 'SGD(p, lr=1)' --clip=0.3 --clip 0.3
updates adamw 'AdamW(p)' --smoothing=0.2 --loss 'cross-entropy(label_smoothing=0.2)'

# 50 updates in single precision; running statistics are among the weights that are compared.
curve() { # NET DATA TORCH [OPTION...]
    net=$1 data=$2 peer=$3 && shift 3
    expect "$net" 0 - thalweg train "$net" -d "$data" --validation none --batch full \
        --schedule cosine:peak=3e-3,warmup=5,total=50 --log-every 1 -q -o "run$count.h5" "$@"
    case $peer in *\;*) ;; *) peer="torch.optim.AdamW(p);$peer" ;; esac
    echo "run$((count - 1)).h5|$data|$peer|--loss=1e-5 --weights=1e-4" >>cases
}
curve 'mlp(64,32,32,10,norm=layer,act=gelu)' samples.npz \
    "Mlp(64, 32, 32, 10, norm='layer', act='gelu')"
# Biases before a normalisation have no gradient but rounding, of which Adam makes full steps.
curve 'mlp(64,32,32,10,norm=batch,bias=no)' samples.npz \
    "Mlp(64, 32, 32, 10, norm='batch', bias=False)"
curve 'resnet20(in=1x8x8,width=2)' samples.npz 'ResNet(20, 1, 10, width=2)'
# Here those biases stay, so momentum without such steps.
curve 'lenet(in=1x12x12,norm=batch)' pictures.npz \
    'torch.optim.SGD(p, lr=1, momentum=0.9, nesterov=True);LeNet((1, 12, 12), norm=True)' \
    --optimizer nesterov --lr 0.01
curve 'gpt(layers=2,d=16,heads=2,ctx=16,vocab=32)' tokens.npz 'Gpt(2, 16, 2, 16, 32)'

oracle check <cases >said
report $? 'PyTorch trains too'
while IFS= read -r line; do
    case $line in same*) report 0 "$line" ;; *) report 1 "$line" ;; esac
done <said
[ "$(wc -l <said)" -eq "$(wc -l <cases)" ]
report $? 'all cases'
done_testing
