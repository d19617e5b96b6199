/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The operators that can be compiled: one row each. */
#include "lower.h"

#include <string.h>

/* A table reads better one row a line. */
// clang-format off
static const struct tw_lowering rows[] = {
    {"Abs", tw_lower_unary},
    {"Add", tw_lower_binary},
    {"And", tw_lower_binary},
    {"ArgMax", tw_lower_argmax},
    {"ArgMin", tw_lower_argmax},
    {"AveragePool", tw_lower_avgpool},
    {"BatchNormalization", tw_lower_batch_norm},
    {"Cast", tw_lower_cast},
    {"CastLike", tw_lower_cast},
    {"Ceil", tw_lower_unary},
    {"Celu", tw_lower_unary},
    {"Clip", tw_lower_clip},
    {"Concat", tw_lower_concat},
    {"Conv", tw_lower_conv},
    {"Cos", tw_lower_unary},
    {"DepthToSpace", tw_lower_depth_to_space},
    {"Div", tw_lower_div},
    {"Dropout", tw_lower_dropout},
    {"Elu", tw_lower_unary},
    {"Equal", tw_lower_binary},
    {"Erf", tw_lower_unary},
    {"Exp", tw_lower_unary},
    {"Expand", tw_lower_expand},
    {"Flatten", tw_lower_flatten},
    {"Floor", tw_lower_unary},
    {"Gather", tw_lower_gather},
    {"Gelu", tw_lower_gelu},
    {"Gemm", tw_lower_gemm},
    {"GlobalAveragePool", tw_lower_global_pool},
    {"GlobalMaxPool", tw_lower_global_pool},
    {"Greater", tw_lower_binary},
    {"GreaterOrEqual", tw_lower_binary},
    {"GroupNormalization", tw_lower_group_norm},
    {"HardSigmoid", tw_lower_unary},
    {"HardSwish", tw_lower_unary},
    {"Identity", tw_lower_identity},
    {"InstanceNormalization", tw_lower_instance_norm},
    {"IsNaN", tw_lower_unary},
    {"LayerNormalization", tw_lower_layer_norm},
    {"LeakyRelu", tw_lower_unary},
    {"Less", tw_lower_binary},
    {"LessOrEqual", tw_lower_binary},
    {"Log", tw_lower_unary},
    {"LogSoftmax", tw_lower_softmax},
    {"MatMul", tw_lower_matmul},
    {"Max", tw_lower_binary},
    {"MaxPool", tw_lower_maxpool},
    {"Mean", tw_lower_binary},
    {"Min", tw_lower_binary},
    {"Mish", tw_lower_unary},
    {"Mod", tw_lower_mod},
    {"Mul", tw_lower_binary},
    {"Neg", tw_lower_unary},
    {"NegativeLogLikelihoodLoss", tw_lower_cross_entropy},
    {"Not", tw_lower_unary},
    {"Or", tw_lower_binary},
    {"PRelu", tw_lower_prelu},
    {"Pad", tw_lower_pad},
    {"Pow", tw_lower_pow},
    {"RMSNormalization", tw_lower_layer_norm},
    {"Reciprocal", tw_lower_unary},
    {"ReduceL1", tw_lower_reduce},
    {"ReduceL2", tw_lower_reduce},
    {"ReduceLogSum", tw_lower_reduce},
    {"ReduceLogSumExp", tw_lower_reduce},
    {"ReduceMax", tw_lower_reduce},
    {"ReduceMean", tw_lower_reduce},
    {"ReduceMin", tw_lower_reduce},
    {"ReduceProd", tw_lower_reduce},
    {"ReduceSum", tw_lower_reduce},
    {"ReduceSumSquare", tw_lower_reduce},
    {"Relu", tw_lower_unary},
    {"Reshape", tw_lower_reshape},
    {"Round", tw_lower_unary},
    {"Selu", tw_lower_unary},
    {"Shape", tw_lower_shape},
    {"Sigmoid", tw_lower_unary},
    {"Sign", tw_lower_unary},
    {"Sin", tw_lower_unary},
    {"Size", tw_lower_size},
    {"Slice", tw_lower_slice},
    {"Softmax", tw_lower_softmax},
    {"SoftmaxCrossEntropyLoss", tw_lower_cross_entropy},
    {"Softplus", tw_lower_unary},
    {"Softsign", tw_lower_unary},
    {"SpaceToDepth", tw_lower_depth_to_space},
    {"Split", tw_lower_split},
    {"Sqrt", tw_lower_unary},
    {"Squeeze", tw_lower_squeeze},
    {"Sub", tw_lower_binary},
    {"Sum", tw_lower_binary},
    {"Tanh", tw_lower_unary},
    {"ThresholdedRelu", tw_lower_unary},
    {"Tile", tw_lower_tile},
    {"Transpose", tw_lower_transpose},
    {"Trilu", tw_lower_trilu},
    {"Unsqueeze", tw_lower_unsqueeze},
    {"Where", tw_lower_where},
    {"Xor", tw_lower_binary},
    {"tw.BCEWithLogits", tw_lower_bce},
    {"tw.CrossEntropy", tw_lower_cross_entropy},
    {"tw.Huber", tw_lower_unary},
};
// clang-format on

const struct tw_lowering *tw_lowering_find(const char *op)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].op, op))
            return &rows[i];
    return NULL;
}

/* TensorProto.DataType of onnx.proto. */
enum tw_dtype tw_dtype_of_onnx(int64_t number)
{
    static const enum tw_dtype types[] = { TW_NONE, TW_F32, TW_U8,   TW_I8,   TW_U16, TW_I16,
                                           TW_I32,  TW_I64, TW_NONE, TW_BOOL, TW_F16, TW_F64,
                                           TW_U32,  TW_U64, TW_NONE, TW_NONE, TW_BF16 };

    return number >= 0 && number < (int64_t)(sizeof types / sizeof types[0]) ? types[number]
                                                                             : TW_NONE;
}
