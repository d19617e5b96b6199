/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints of PyTorch that were made to deceive: nothing is executed, and no more memory is
 * taken than the file accounts for. */
#include "checkpoints.h"

/* ---- pickles
 * ------------------------------------------------------------------------------------- */

static void tensors_stay_in_their_storages(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        const char *part;
    } cases[] = {
        { P(DICT("a", TENSOR("K\0", "K\20\x85", "K\1\x85"))), NULL },
        { P(DICT("a", TENSOR("K\17", "K\1\x85", "K\144\x85"))), NULL },
        { P(DICT("a", TENSOR("K\1", "K\20\x85", "K\1\x85"))),
          "'a' reaches to element 16 of a sto" },
        { P(DICT("a", TENSOR("K\0", "K\2\x85", "K\20\x85"))), "'a' reaches to element 16" },
        { P(DICT("a", TENSOR("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"))),
          "'a' has a shape or str" },
        { P(DICT("a", TENSOR("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85"))),
          "'a' has a shape or str" },
        { P(DICT("a", TENSOR("J\xff\xff\xff\xff", "K\2\x85", "K\1\x85"))), "'a' has no place in" },
        { P(DICT("a", TENSOR("K\0", "K\2\x85", "K\1K\1\x86"))), "'a' has a shape or strides" },
        { P(DICT("a", TENSOR("K\0", "X\2\0\0\0hi\x85", "K\1\x85"))), "'a' has a shape or strides" },
        { P(DICT("a",
                 TENSOR("K\0", "K\2K\2\x86", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7fK\1\x86"))),
          "'a' has strides that lead out" },
        /* One number a quadrillion times: more than the file accounts for. */
        { P(DICT("a", TENSOR("K\0", "\x8a\7\0\0\0\0\0\0\4\x85", "K\0\x85"))),
          "would take more than 256 MiB and 64 times" },
        { P(V2
            "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\0010U\3cpu"
            "K\21tQK\0K\2\x85K\1\x85\x89NtRs."),
          "'a' has a storage of 17 elements, where the file has 64 bytes" },
        { P(V2
            "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\0012U\3cpu"
            "K\20tQK\0K\2\x85K\1\x85\x89NtRs."),
          "'a' is to be in 'a/data/2' of the archive, which is not there" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\22"
               "../../../etc/hosts\0U\3cpuK\20tQK\0K\2\x85K\1\x85\x89NtRs."),
          "its pickle" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n(K\1K\0K\2\x85K\1\x85\x89NtRs."),
          "'a' has no storage" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n)Rs."), "'a' has no storage" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nComplexFloatStorage\n"
               "U\0010U\3cpuK\10tQK\0K\2\x85K\1\x85\x89NtRs."),
          "'a' is of type ComplexFloatStorage, which is not read" },
        { P(V2 "}U\1actorch._utils\n_rebuild_qtensor\n)Rs."), "'a' is quantised" },
        { P(V2 "}U\1actorch._utils\n_rebuild_sparse_tensor\n)Rs."), "'a' is sparse" },
        { P(V2 "}U\1actorch.distributed.tensor._api\nDTensor\n)Rs."),
          "saved by several processes" },
        /* ZeRO-3: beside its shapes one placeholder will do; without, they must be the most. */
        { P(V2 "}(U\14param_shapes}U\6module}(U\1a" TENSOR(
              "K\0", "K\0\x85", "K\1\x85") "U\1b" TENSOR("K\0", "K\2\x85", "K\1\x85") "uu."),
          "'module.a' is an empty placeholder: ZeRO-3" },
        { P(V2 "}(U\14param_shapes}U\6module}(U\1a" TENSOR("K\0", "K\2\x85", "K\1\x85") "uu."),
          NULL },
        { P(DICT("a", TENSOR("K\0", "K\0\x85", "K\1\x85"))),
          "1 of 1 arrays are empty placeholders" },
        { P(V2 "}(U\1a" TENSOR("K\0", "K\0\x85", "K\1\x85") "U\1b" TENSOR("K\0", "K\2\x85",
                                                                          "K\1\x85") "u."),
          NULL },
        { P(V2 "}U\24optimizer_state_dict}U\nzero_stageK\2ss."), "zero_to_fp32.py" },
        { P(V2 "}U\13_flat_param" TENSOR("K\0", "K\2\x85", "K\1\x85") "s."), "FULL_STATE_DICT" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_pickle(cases[i].p, cases[i].n);
        if (cases[i].part)
            refused(in_folder("x.pt"), cases[i].part);
        else
            tw_weights_close(opens(in_folder("x.pt"), NULL));
    }
}

static void pickles_are_not_obeyed(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        const char *part;
    } cases[] = {
        { P(V2 "cposix\nsystem\nU\26touch /tmp/tw-was-here\x85R."), "no arrays of numbers" },
        { P(V2 "r\xff\xff\xff\x7f."), "it keeps a value where none is" },
        { P(V2 "Nr\xff\xff\xff\x7f."), "numbers values in a way that no writer does" },
        { P(V2 "h\0."), "recalls what it never kept" },
        { P(V2 "j\xff\xff\xff\xff."), "recalls what it never kept" },
        { P(V2 "X\xff\xff\xff\xff"
               "a."),
          "it ends early" },
        { P(V2 "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
               "a."),
          "it ends early" },
        { P(V2 "B\xff\xff\xff\x7f."), "it ends early" },
        { P(V2 "\x8b\xff\xff\xff\xff."), "it ends early" },
        { P(V2 "t."), "a mark is missing" },
        { P(V2 "."), "it takes a value where none is" },
        { P(V2 "(R."), "it takes a value where none is" },
        { P(V2 "(a."), "items without what they go into" },
        { P(V2 "}(K"), "it ends early" },
        { P(V2 "}(K\1u."), "items without what they go into" },
        { P(V2 "K\1(K\1K\1u."), "items for what holds none" },
        { P(V2 "\x82\1."), "the operation 0x82 at byte 2, which is none of protocols 2 to 5" },
        { P(V2 "I1\n."), "the operation 0x49" },
        { P("\x80\5\x97."), "asks for what is outside the file" },
        { P(V2 "cos\n"), "it ends early" },
        { P(V2), "it ends early" },
    };
    struct tw_str s = { 0 }, remarks = { 0 };
    struct tw_weights_file *f;

    (void)state;
    (void)unlink("/tmp/tw-was-here");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_pickle(cases[i].p, cases[i].n);
        refused(in_folder("x.pt"), cases[i].part);
    }
    assert_int_not_equal(access("/tmp/tw-was-here", F_OK), 0);
    /* With a tensor beside it the file is read, and what it would do is said. */
    put_pickle(P(V2 "}(U\1xcposix\nsystem\nU\26touch /tmp/tw-was-here\x85RU\1a" TENSOR(
        "K\0", "K\2\x85", "K\1\x85") "u."));
    f = opens(in_folder("x.pt"), &remarks);
    assert_int_equal(f->n, 1);
    assert_non_null(strstr(remarks.s, "It names posix.system, which Python would run"));
    tw_weights_close(f);
    tw_str_release(&remarks);
    assert_int_not_equal(access("/tmp/tw-was-here", F_OK), 0);
    /* A list of two lists of two lists ... : 2^60 tensors in 300 bytes. */
    tw_str_addn(&s, V2, 2);
    tw_str_addn(&s, TENSOR("K\0", "K\2\x85", "K\1\x85"),
                sizeof(TENSOR("K\0", "K\2\x85", "K\1\x85")) - 1);
    for (int i = 0; i < 60; i++)
        tw_str_addn(&s, "2\x86", 2);
    tw_str_add(&s, ".");
    put_pickle(s.s, s.n);
    refused(in_folder("x.pt"), "over and over");
    tw_str_clear(&s);
    /* A dictionary that holds itself. */
    put_pickle(P(V2 "}q\0U\1ah\0s."));
    refused(in_folder("x.pt"), "nested more than 64 deep");
    /* Objects whose states are objects, 100000 deep. */
    tw_str_clear(&s);
    tw_str_addn(&s, V2, 2);
    for (int i = 0; i < 100000; i++)
        tw_str_add(&s, "cm\nn\n)R");
    for (int i = 0; i < 99999; i++)
        tw_str_add(&s, "\x85"
                       "b");
    tw_str_add(&s, ".");
    put_pickle(s.s, s.n);
    refused(in_folder("x.pt"), "no arrays of numbers");
    tw_str_clear(&s);
    /* And lists without end. */
    tw_str_addn(&s, V2, 2);
    for (int i = 0; i < 100000; i++)
        tw_str_add(&s, "]");
    for (int i = 0; i < 99999; i++)
        tw_str_add(&s, "a");
    tw_str_add(&s, ".");
    put_pickle(s.s, s.n);
    refused(in_folder("x.pt"), "nested more than 64 deep");
    tw_str_release(&s);
}

/* ---- archives and streams ----------------------------------------------------------------------
 */

static void archives_that_lie_are_refused(void **state)
{
    struct tw_weights_file *f;
    char *p, *at, piece[64];
    struct tw_err err = { 0 };
    size_t n;

    (void)state;
    put_pickle(P(DICT("a", TENSOR("K\0", "K\20\x85", "K\1\x85"))));
    p = slurp(in_folder("x.pt"), &n);
    /* The second storage's entry begins where the pickle's does, and is as long as all the file. */
    at = find(p, n, "PK\1\2", 4);
    at = find(at + 4, n - (size_t)(at + 4 - p), "PK\1\2", 4);
    memcpy(at + 20, "\0\x10\0\0\0\x10\0\0", 8);
    spill(in_folder("x.pt"), p, n);
    refused(in_folder("x.pt"), "its entries overlap");
    /* It says to be longer than its bytes. */
    memcpy(at + 20, "\x40\0\0\0\x80\0\0\0", 8);
    spill(in_folder("x.pt"), p, n);
    refused(in_folder("x.pt"), "128 bytes cannot be in 64 packed ones");
    free(p);
    /* A number is damaged: the checksum tells, when it is read. */
    put_pickle(P(DICT("a", TENSOR("K\0", "K\20\x85", "K\1\x85"))));
    p = slurp(in_folder("x.pt"), &n);
    at = find(p, n, "a/data/0", 8);
    at[20] = (char)(at[20] ^ 1);
    spill(in_folder("x.pt"), p, n);
    f = opens(in_folder("x.pt"), NULL);
    assert_int_equal(tw_weights_read(f, 0, 0, 16, piece, &err), TW_EFORMAT);
    check_message(&err, "'a': CRC error");
    tw_weights_close(f);
    for (size_t cut = 1; cut < n; cut += 7) {
        spill(in_folder("x.pt"), p, n - cut);
        refused(in_folder("x.pt"), in_folder("x.pt"));
    }
    free(p);
}

static void streams_that_are_cut_or_lie_are_refused(void **state)
{
    size_t n;
    char *p = slurp(SAMPLE("types-old.pt"), &n), *at;

    (void)state;
    for (size_t cut = 1; cut < n - 40; cut += 31) {
        spill(in_folder("x"), p, n - cut);
        refused(in_folder("x"), in_folder("x"));
    }
    /* The first storage's length. */
    at = find(p, n, "\x0c\0\0\0\0\0\0\0", 8);
    assert_non_null(at);
    at[7] = 0x10;
    spill(in_folder("x"), p, n);
    refused(in_folder("x"), "elements, which is more than the file has");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(tensors_stay_in_their_storages),
        folder_test(pickles_are_not_obeyed),
        folder_test(archives_that_lie_are_refused),
        folder_test(streams_that_are_cut_or_lie_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
