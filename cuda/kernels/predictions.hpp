// What is made of the scores of a row.
#pragma once

namespace steepest::cuda {

enum class Prediction { means, probabilities, log_probabilities, places };
constexpr int n_predictions = 4;
constexpr const char* prediction_names[n_predictions] = {"means", "probabilities", "log_probabilities", "places"};

}  // namespace steepest::cuda
