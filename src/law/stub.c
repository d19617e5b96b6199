#include "solve.h"
enum tw_status tw_law_profile_run(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                  struct tw_err *err)
{
    (void)p;
    (void)fit;
    (void)err;
    return 0;
}
enum tw_status tw_law_bootstrap_run(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                    struct tw_err *err)
{
    (void)p;
    (void)fit;
    (void)err;
    return 0;
}
enum tw_status tw_law_leave_out_run(const struct tw_law *law, const struct tw_law_curve *curves,
                                    size_t n, const struct tw_law_fit_opts *opts,
                                    struct tw_law_fit *fit, struct tw_err *err)
{
    (void)law;
    (void)curves;
    (void)n;
    (void)opts;
    (void)fit;
    (void)err;
    return 0;
}
