"""Correct summaries beside the abstracts they summarise, both written for this test, in many notations.

Names and findings are invented. `LANGUAGE` is that of the summary; a summary says nothing that its abstract does
not say, so every finding on it is a false alarm.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Pair:
    language: Literal["zh", "en"]
    summary: str
    abstract: str


PAIRS = (
    Pair(
        "zh",
        "本文发布了13亿参数的小模型Karst-1.3，在常识推理上可与大5倍的模型相比。",
        "We release Karst-1.3, a small model with 1.3 billion parameters. On common sense reasoning it is comparable "
        "to models 5x larger.",
    ),
    Pair(
        "zh",
        "作者在2500亿个词元上训练了10.7B参数的翻译模型Polyglint，覆盖450多种语言。",
        "We train Polyglint, a 10.7B-parameter translation model, on 250 billion tokens covering over 450 languages.",
    ),
    Pair(
        "zh",
        "Mosslake数据集包含3T词元，涵盖419种语言。",
        "Mosslake is a 3T token monolingual dataset, spanning 419 languages, based on web crawls.",
    ),
    Pair(
        "zh",
        "仅用原始数据的30%进行训练，效果仍优于不裁剪的基线。",
        "We improve over, and often outperform, the unpruned baseline while training on as little as 30% of the data.",
    ),
    Pair(
        "zh",
        "RoundWise方法在400步内完成3和4位权重量化。",
        "RoundWise performs 3 and 4-bit weight quantization within 400 steps of signed descent.",
    ),
    Pair(
        "zh",
        "在100到10000个训练样本的规模上，BLEND均优于ICL和微调。",
        "BLEND performs better than both ICL and fine-tuning at scales from 100-10,000 training examples.",
    ),
    Pair(
        "zh",
        "分析覆盖从125m到66b参数的模型，最大模型某些层中超过70%的神经元从不激活。",
        "We study models from 125m to 66b parameters. In some layers of the largest one more than 70% of the neurons "
        "are never active.",
    ),
    Pair(
        "zh",
        "与全精度模型相比，QuietBits将显存占用降低了75%，推理速度提升了2.3倍。",
        "Compared with full precision, QuietBits reduces memory use by 75% and makes inference 2.3x faster.",
    ),
    Pair(
        "zh",
        "DriftNet在ImageNet-1k上达到84.6%的准确率，比基线高1.9个百分点。",
        "DriftNet reaches 84.6% accuracy on ImageNet-1k, 1.9 percentage points above the baseline.",
    ),
    Pair(
        "zh",
        "训练只需8张GPU、约36小时，成本不到1000美元的方案也可以复现。",
        "Training takes only 8 GPUs and about 36 hours; a recipe for less than 1,000 dollars reproduces it.",
    ),
    Pair(
        "zh",
        "该语料库包含一百二十万篇文档，其中三分之一为对话。",
        "The corpus holds 1.2 million documents, one third of which are dialogues.",
    ),
    Pair(
        "zh",
        "上下文窗口从4096扩展到128k词元，困惑度没有上升。",
        "We extend the context window from 4,096 to 128k tokens; perplexity does not increase.",
    ),
    Pair(
        "zh",
        "Halyard用24层网络取得了与48层网络相当的结果，参数量减少了一半。",
        "Halyard matches a 48-layer network with 24 layers, cutting the number of parameters by half.",
    ),
    Pair(
        "zh",
        "学习率取1e-4，训练20万步后收敛。",
        "With a learning rate of $10^{-4}$ training converges after 200k steps.",
    ),
    Pair(
        "zh",
        "在12个下游任务上，TideTune平均提高3.2分，最高提高7.5分。",
        "On 12 downstream tasks TideTune gains 3.2 points on average and up to 7.5 points.",
    ),
    Pair(
        "zh",
        "我们收集了5000万对图文数据，其中至少90%经过人工审核。",
        "We collect 50 million image-text pairs, at least 90% of which were reviewed by people.",
    ),
    Pair(
        "zh",
        "单次前向计算耗时由120毫秒缩短至40毫秒，即加速三倍。",
        "A forward pass is shortened from 120 ms to 40 ms, a threefold speed-up.",
    ),
    Pair(
        "zh",
        "OrbitLM在GSM8K上得分为57.1%，超过GPT-3.5。",
        "OrbitLM scores 57.1% on GSM8K and surpasses GPT-3.5.",
    ),
    Pair(
        "zh",
        "模型每秒生成24帧，分辨率为512×512。",
        "The model generates 24 frames per second at a resolution of 512x512.",
    ),
    Pair(
        "zh",
        "误差降低了一个数量级，而训练数据只有原来的1/10。",
        "The error falls by an order of magnitude with only 1/10 of the training data.",
    ),
    Pair(
        "zh",
        "作者比较了三种数据质量指标，发现最简单的一种效果更好。",
        "We compare three measures of data quality: the simplest performs better than the others.",
    ),
    Pair(
        "zh",
        "SketchBench由7个领域的2,340道问题组成，最强模型的准确率不足40%。",
        "SketchBench consists of 2,340 questions from 7 domains; the strongest model stays below 40% accuracy.",
    ),
    Pair(
        "zh",
        "LoomKV将KV缓存压缩到原来的20%，吞吐量最多提升4.5倍。",
        "LoomKV compresses the KV cache to 20% of its size and increases throughput by up to 4.5x.",
    ),
    Pair(
        "zh",
        "在两千名参与者的评测中，62%的人更喜欢PaintVox的结果。",
        "In a study with two thousand participants, 62% prefer the results of PaintVox.",
    ),
    Pair(
        "zh",
        "预训练共用1.5万亿词元，耗时约21天，使用2048张A100。",
        "Pretraining uses 1.5 trillion tokens and takes about 21 days on 2048 A100 GPUs.",
    ),
    Pair(
        "zh",
        "据我们所知，这是首个在手机上以每秒30词元运行7B模型的系统。",
        "To the best of our knowledge, this is the first system that runs a 7B model at 30 tokens per second on a phone.",
    ),
    Pair(
        "zh",
        "把训练步数从1万减到2500，准确率只下降0.4%。",
        "Reducing training from 10,000 to 2,500 steps lowers accuracy by only 0.4%.",
    ),
    Pair(
        "zh",
        "MistralGate包含46.7B参数，但每个词元只激活12.9B。",
        "MistralGate has 46.7B parameters in total but activates only 12.9B per token.",
    ),
    Pair(
        "zh",
        "该方法对1%到10%的标注数据均有效，WER相对降低25%。",
        "The method works with 1% to 10% of the labels and gives a relative WER reduction of 25%.",
    ),
    Pair(
        "zh",
        "近11B参数的RiverT模型在零样本设置下优于175B的基线。",
        "RiverT, with 10.7B parameters, outperforms a 175B baseline in the zero-shot setting.",
    ),
    Pair(
        "en",
        "Karst-1.3 has 1,300M parameters and keeps up with models five times its size.",
        "We release Karst-1.3, a model with 1.3 billion parameters, comparable to models five times larger.",
    ),
    Pair(
        "en",
        "Trained on 0.25T tokens, Polyglint translates more than 450 languages.",
        "We train Polyglint on 250 billion tokens covering over 450 languages.",
    ),
    Pair(
        "en",
        "Weights are rounded to 3 or 4 bits in no more than 400 steps.",
        "RoundWise performs 3- and 4-bit weight rounding in at most 400 steps.",
    ),
    Pair(
        "en",
        "BLEND outperforms ICL with anything from 100 to 10,000 examples.",
        "We observe that BLEND performs better than ICL at scales ranging from 100-10,000 training examples.",
    ),
    Pair(
        "en",
        "A third of the 1.2 million documents are dialogues.",
        "The corpus holds 1.2M documents, one third of which are dialogues.",
    ),
    Pair(
        "en",
        "QuietBits cuts memory by three quarters and speeds up inference 2.3 times.",
        "QuietBits reduces memory use by 75% and makes inference 2.3x faster.",
    ),
    Pair(
        "en",
        "DriftNet reaches 84.6% on ImageNet-1k, which is 1.9 percentage points more than before.",
        "With 84.6\\% accuracy on ImageNet-1k, DriftNet is 1.9 percentage points above the previous best.",
    ),
    Pair(
        "en",
        "The context grows from 4,096 to 128,000 tokens.",
        "We extend the context window from 4096 to 128k tokens.",
    ),
    Pair(
        "en",
        "SketchBench has 2340 questions in seven domains, and no model reaches 40%.",
        "SketchBench consists of 2,340 questions from seven domains; every model stays under 40% accuracy.",
    ),
    Pair(
        "en",
        "About 85% of the 50 million pairs were kept after filtering.",
        "Of 50 million image-text pairs, 84.7% remain after filtering.",
    ),
    Pair(
        "en",
        "LoomKV shrinks the cache to a fifth and raises throughput by up to 4.5x.",
        "LoomKV compresses the KV cache to 20% of its size and increases throughput by up to $4.5\\times$.",
    ),
    Pair(
        "en",
        "HarborRAG underperforms BM25 on short queries but surpasses it by 6.4% on long ones.",
        "HarborRAG surpasses BM25 by 6.4% on long queries, while it underperforms BM25 on short ones.",
    ),
    Pair(
        "en",
        "Pretraining took 21 days on 2,048 GPUs and 1.5 trillion tokens.",
        "We pretrain on 1.5T tokens, which takes 21 days on 2048 GPUs.",
    ),
    Pair(
        "en",
        "It needs 16 GB of memory instead of 80 GB and loses less than 1% accuracy.",
        "Memory falls from 80GB to 16GB at a loss of less than 1% in accuracy.",
    ),
    Pair(
        "en",
        "OrbitLM beats GPT-3.5 on GSM8K with a score of 57.1.",
        "OrbitLM scores 57.1 on GSM8K and surpasses GPT-3.5.",
    ),
    Pair(
        "en",
        "Latency drops from 120 ms to 40 ms, so decoding is three times faster.",
        "Latency is reduced from 120 ms to 40 ms, which makes decoding 3x faster.",
    ),
)
